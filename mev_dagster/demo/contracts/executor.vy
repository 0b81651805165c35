# pragma version 0.4.3
# pragma evm-version london
"""
@title Searcher's executor
@notice Carries out a list of pair swaps from its own inventory, or nothing at all.
@dev Compiled for London so that a simulation can also put it into blocks as old as Uniswap V2.
     `owner` and `weth` are immutables: the deployed code is the runtime followed by owner and weth as two
     32-byte words, so a simulation can put the executor anywhere by a code override alone.
"""

interface Token:
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def balanceOf(owner: address) -> uint256: view

interface WrappedEther:
    def withdraw(wad: uint256): nonpayable

interface Pair:
    def swap(amount0_out: uint256, amount1_out: uint256, to: address, data: Bytes[1]): nonpayable

struct Step:
    pair: address
    token_in: address
    amount_in: uint256  # sent from here to the pair first; 0 when an earlier step paid it in
    amount0_out: uint256
    amount1_out: uint256
    to: address

owner: public(immutable(address))
weth: public(immutable(address))


@deploy
def __init__(owner_: address, weth_: address):
    owner = owner_
    weth = weth_


@external
@payable
def __default__():
    pass


@external
@payable
def execute(steps: DynArray[Step, 8], token: address, min_profit: uint256, coinbase_payment_wei: uint256):
    """
    @notice Swap along `steps`; revert unless they leave at least `min_profit` more of `token` here.
            Then pay the block's coinbase, unwrapping WETH for what the Ether held here does not cover.
    """
    assert msg.sender == owner, "executor: not the owner"
    before: uint256 = staticcall Token(token).balanceOf(self)
    for step: Step in steps:
        if step.amount_in > 0:
            assert extcall Token(step.token_in).transfer(
                step.pair, step.amount_in, default_return_value=True
            ), "executor: transfer failed"
        extcall Pair(step.pair).swap(step.amount0_out, step.amount1_out, step.to, b"")
    assert staticcall Token(token).balanceOf(self) >= before + min_profit, "executor: not profitable"
    if coinbase_payment_wei > 0:
        if self.balance < coinbase_payment_wei:
            extcall WrappedEther(weth).withdraw(coinbase_payment_wei - self.balance)
        raw_call(block.coinbase, b"", value=coinbase_payment_wei)


@external
def withdraw(token: address, amount: uint256):
    """
    @notice Return inventory to the owner; the zero address stands for Ether.
    """
    assert msg.sender == owner, "executor: not the owner"
    if token == empty(address):
        raw_call(owner, b"", value=amount)
    else:
        assert extcall Token(token).transfer(
            owner, amount, default_return_value=True
        ), "executor: transfer failed"
