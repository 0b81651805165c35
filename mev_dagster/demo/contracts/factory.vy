# pragma version 0.4.3
# pragma evm-version prague
"""
@title Pair factory
@notice Makes one pair per two tokens, as Uniswap V2's factory does. Two factories are two venues.
@dev Pairs are deployed from an ERC-5202 blueprint, whole and not as proxies: all of them share one code.
"""

interface Pair:
    def initialize(token0: address, token1: address): nonpayable

event PairCreated:
    token0: indexed(address)
    token1: indexed(address)
    pair: address
    count: uint256

feeTo: public(address)
feeToSetter: public(address)
getPair: public(HashMap[address, HashMap[address, address]])
allPairs: public(DynArray[address, 4096])
BLUEPRINT: immutable(address)


@deploy
def __init__(fee_to_setter: address, pair_blueprint: address):
    self.feeToSetter = fee_to_setter
    BLUEPRINT = pair_blueprint


@external
@view
def allPairsLength() -> uint256:
    return len(self.allPairs)


@external
def createPair(token_a: address, token_b: address) -> address:
    assert token_a != token_b, "UniswapV2: IDENTICAL_ADDRESSES"
    token0: address = token_a
    token1: address = token_b
    if convert(token_b, uint160) < convert(token_a, uint160):
        token0 = token_b
        token1 = token_a
    assert token0 != empty(address), "UniswapV2: ZERO_ADDRESS"
    assert self.getPair[token0][token1] == empty(address), "UniswapV2: PAIR_EXISTS"
    salt: bytes32 = keccak256(concat(convert(token0, bytes20), convert(token1, bytes20)))
    pair: address = create_from_blueprint(BLUEPRINT, salt=salt)
    extcall Pair(pair).initialize(token0, token1)
    self.getPair[token0][token1] = pair
    self.getPair[token1][token0] = pair
    self.allPairs.append(pair)
    log PairCreated(token0=token0, token1=token1, pair=pair, count=len(self.allPairs))
    return pair


@external
def setFeeTo(fee_to: address):
    assert msg.sender == self.feeToSetter, "UniswapV2: FORBIDDEN"
    self.feeTo = fee_to


@external
def setFeeToSetter(fee_to_setter: address):
    assert msg.sender == self.feeToSetter, "UniswapV2: FORBIDDEN"
    self.feeToSetter = fee_to_setter
