# pragma version 0.4.3
# pragma evm-version prague
"""
@title Constant-product pair
@notice Two reserves whose product may only grow; 0.3 % of every swap's input stays in the pool.
@dev Interface, events, revert reasons and the numbered storage slots are those of Uniswap V2, so that
     anything that reads or simulates Uniswap V2 pools reads this one unchanged. The variables below are
     declared in slot order; the reserves share slot 8: uint112 | uint112 << 112 | uint32 timestamp << 224.
"""

interface Token:
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def balanceOf(owner: address) -> uint256: view

interface Factory:
    def feeTo() -> address: view

interface FlashBorrower:
    def uniswapV2Call(sender: address, amount0: uint256, amount1: uint256, data: Bytes[1024]): nonpayable

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event Mint:
    sender: indexed(address)
    amount0: uint256
    amount1: uint256

event Burn:
    sender: indexed(address)
    amount0: uint256
    amount1: uint256
    to: indexed(address)

event Swap:
    sender: indexed(address)
    amount0In: uint256
    amount1In: uint256
    amount0Out: uint256
    amount1Out: uint256
    to: indexed(address)

event Sync:
    reserve0: uint112
    reserve1: uint112

name: public(constant(String[16])) = "mev_dagster pair"
symbol: public(constant(String[8])) = "MEVD-LP"
decimals: public(constant(uint8)) = 18
MINIMUM_LIQUIDITY: public(constant(uint256)) = 1000
MAX_RESERVE: constant(uint256) = 2**112 - 1
MAX_TIMESTAMP: constant(uint256) = 2**32 - 1
PERMIT_TYPEHASH: public(constant(bytes32)) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
DOMAIN_TYPEHASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

totalSupply: public(uint256)  # slot 0
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
DOMAIN_SEPARATOR: public(bytes32)
nonces: public(HashMap[address, uint256])
factory: public(address)  # slot 5
token0: public(address)
token1: public(address)
packed_reserves: uint256  # slot 8
price0CumulativeLast: public(uint256)
price1CumulativeLast: public(uint256)
kLast: public(uint256)
unlocked: uint256  # slot 12


@deploy
def __init__():
    self.factory = msg.sender
    self.unlocked = 1
    self.DOMAIN_SEPARATOR = keccak256(
        abi_encode(DOMAIN_TYPEHASH, keccak256(name), keccak256("1"), chain.id, self)
    )


@external
def initialize(token0: address, token1: address):
    assert msg.sender == self.factory, "UniswapV2: FORBIDDEN"
    self.token0 = token0
    self.token1 = token1


# ---- reserves ----


@internal
@view
def _reserves() -> (uint256, uint256, uint256):
    packed: uint256 = self.packed_reserves
    return packed & MAX_RESERVE, (packed >> 112) & MAX_RESERVE, packed >> 224


@external
@view
def getReserves() -> (uint112, uint112, uint32):
    reserve0: uint256 = 0
    reserve1: uint256 = 0
    timestamp: uint256 = 0
    reserve0, reserve1, timestamp = self._reserves()
    return convert(reserve0, uint112), convert(reserve1, uint112), convert(timestamp, uint32)


@internal
@view
def _balances(token0: address, token1: address) -> (uint256, uint256):
    return staticcall Token(token0).balanceOf(self), staticcall Token(token1).balanceOf(self)


@internal
def _update(balance0: uint256, balance1: uint256, reserve0: uint256, reserve1: uint256, last: uint256):
    """
    @dev Store the new reserves and, once a block, add price * seconds to the accumulators. Timestamps and
         accumulators wrap on purpose: readers take differences.
    """
    assert balance0 <= MAX_RESERVE and balance1 <= MAX_RESERVE, "UniswapV2: OVERFLOW"
    now: uint256 = block.timestamp & MAX_TIMESTAMP
    elapsed: uint256 = unsafe_sub(now, last) & MAX_TIMESTAMP
    if elapsed > 0 and reserve0 != 0 and reserve1 != 0:
        price0: uint256 = unsafe_mul(unsafe_div(reserve1 << 112, reserve0), elapsed)
        price1: uint256 = unsafe_mul(unsafe_div(reserve0 << 112, reserve1), elapsed)
        self.price0CumulativeLast = unsafe_add(self.price0CumulativeLast, price0)
        self.price1CumulativeLast = unsafe_add(self.price1CumulativeLast, price1)
    self.packed_reserves = balance0 | (balance1 << 112) | (now << 224)
    log Sync(reserve0=convert(balance0, uint112), reserve1=convert(balance1, uint112))


@internal
def _lock():
    assert self.unlocked == 1, "UniswapV2: LOCKED"
    self.unlocked = 0


@internal
def _send(token: address, to: address, amount: uint256):
    # A token that returns nothing counts as having succeeded (USDT).
    assert extcall Token(token).transfer(to, amount, default_return_value=True), "UniswapV2: TRANSFER_FAILED"


# ---- liquidity ----


@internal
def _mint_shares(to: address, amount: uint256):
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log Transfer(sender=empty(address), receiver=to, value=amount)


@internal
def _mint_fee(reserve0: uint256, reserve1: uint256) -> bool:
    """
    @dev When the factory names a fee receiver, it gets shares worth a sixth of the growth of sqrt(k).
    """
    receiver: address = staticcall Factory(self.factory).feeTo()
    k_last: uint256 = self.kLast
    if receiver == empty(address):
        if k_last != 0:
            self.kLast = 0
        return False
    if k_last != 0:
        root: uint256 = isqrt(reserve0 * reserve1)
        root_last: uint256 = isqrt(k_last)
        if root > root_last:
            shares: uint256 = self.totalSupply * (root - root_last) // (root * 5 + root_last)
            if shares > 0:
                self._mint_shares(receiver, shares)
    return True


@external
def mint(to: address) -> uint256:
    self._lock()
    reserve0: uint256 = 0
    reserve1: uint256 = 0
    last: uint256 = 0
    reserve0, reserve1, last = self._reserves()
    balance0: uint256 = 0
    balance1: uint256 = 0
    balance0, balance1 = self._balances(self.token0, self.token1)
    amount0: uint256 = balance0 - reserve0
    amount1: uint256 = balance1 - reserve1

    fee_on: bool = self._mint_fee(reserve0, reserve1)
    supply: uint256 = self.totalSupply  # after the fee shares
    shares: uint256 = 0
    if supply == 0:
        shares = isqrt(amount0 * amount1) - MINIMUM_LIQUIDITY
        self._mint_shares(empty(address), MINIMUM_LIQUIDITY)  # locked for ever
    else:
        shares = min(amount0 * supply // reserve0, amount1 * supply // reserve1)
    assert shares > 0, "UniswapV2: INSUFFICIENT_LIQUIDITY_MINTED"
    self._mint_shares(to, shares)

    self._update(balance0, balance1, reserve0, reserve1, last)
    if fee_on:
        self.kLast = balance0 * balance1
    log Mint(sender=msg.sender, amount0=amount0, amount1=amount1)
    self.unlocked = 1
    return shares


@external
def burn(to: address) -> (uint256, uint256):
    self._lock()
    reserve0: uint256 = 0
    reserve1: uint256 = 0
    last: uint256 = 0
    reserve0, reserve1, last = self._reserves()
    token0: address = self.token0
    token1: address = self.token1
    balance0: uint256 = 0
    balance1: uint256 = 0
    balance0, balance1 = self._balances(token0, token1)
    shares: uint256 = self.balanceOf[self]

    fee_on: bool = self._mint_fee(reserve0, reserve1)
    supply: uint256 = self.totalSupply  # after the fee shares
    amount0: uint256 = shares * balance0 // supply
    amount1: uint256 = shares * balance1 // supply
    assert amount0 > 0 and amount1 > 0, "UniswapV2: INSUFFICIENT_LIQUIDITY_BURNED"
    self.balanceOf[self] -= shares
    self.totalSupply -= shares
    log Transfer(sender=self, receiver=empty(address), value=shares)
    self._send(token0, to, amount0)
    self._send(token1, to, amount1)
    balance0, balance1 = self._balances(token0, token1)

    self._update(balance0, balance1, reserve0, reserve1, last)
    if fee_on:
        self.kLast = balance0 * balance1
    log Burn(sender=msg.sender, amount0=amount0, amount1=amount1, to=to)
    self.unlocked = 1
    return amount0, amount1


# ---- swaps ----


@external
def swap(amount0_out: uint256, amount1_out: uint256, to: address, data: Bytes[1024]):
    """
    @dev Pays out first, then demands that what came in, less 0.3 %, keeps the product. With `data` the
         receiver is called in between: a flash swap.
    """
    self._lock()
    assert amount0_out > 0 or amount1_out > 0, "UniswapV2: INSUFFICIENT_OUTPUT_AMOUNT"
    reserve0: uint256 = 0
    reserve1: uint256 = 0
    last: uint256 = 0
    reserve0, reserve1, last = self._reserves()
    assert amount0_out < reserve0 and amount1_out < reserve1, "UniswapV2: INSUFFICIENT_LIQUIDITY"

    token0: address = self.token0
    token1: address = self.token1
    assert to != token0 and to != token1, "UniswapV2: INVALID_TO"
    if amount0_out > 0:
        self._send(token0, to, amount0_out)
    if amount1_out > 0:
        self._send(token1, to, amount1_out)
    if len(data) > 0:
        extcall FlashBorrower(to).uniswapV2Call(msg.sender, amount0_out, amount1_out, data)
    balance0: uint256 = 0
    balance1: uint256 = 0
    balance0, balance1 = self._balances(token0, token1)

    kept0: uint256 = reserve0 - amount0_out
    kept1: uint256 = reserve1 - amount1_out
    amount0_in: uint256 = balance0 - kept0 if balance0 > kept0 else 0
    amount1_in: uint256 = balance1 - kept1 if balance1 > kept1 else 0
    assert amount0_in > 0 or amount1_in > 0, "UniswapV2: INSUFFICIENT_INPUT_AMOUNT"
    adjusted0: uint256 = balance0 * 1000 - amount0_in * 3
    adjusted1: uint256 = balance1 * 1000 - amount1_in * 3
    assert adjusted0 * adjusted1 >= reserve0 * reserve1 * 1000**2, "UniswapV2: K"

    self._update(balance0, balance1, reserve0, reserve1, last)
    log Swap(
        sender=msg.sender,
        amount0In=amount0_in,
        amount1In=amount1_in,
        amount0Out=amount0_out,
        amount1Out=amount1_out,
        to=to,
    )
    self.unlocked = 1


@external
def skim(to: address):
    """
    @notice Send away what the balances hold beyond the reserves.
    """
    self._lock()
    reserve0: uint256 = 0
    reserve1: uint256 = 0
    last: uint256 = 0
    reserve0, reserve1, last = self._reserves()
    token0: address = self.token0
    token1: address = self.token1
    self._send(token0, to, staticcall Token(token0).balanceOf(self) - reserve0)
    self._send(token1, to, staticcall Token(token1).balanceOf(self) - reserve1)
    self.unlocked = 1


@external
def sync():
    """
    @notice Take the balances as they are for the new reserves.
    """
    self._lock()
    reserve0: uint256 = 0
    reserve1: uint256 = 0
    last: uint256 = 0
    reserve0, reserve1, last = self._reserves()
    balance0: uint256 = 0
    balance1: uint256 = 0
    balance0, balance1 = self._balances(self.token0, self.token1)
    self._update(balance0, balance1, reserve0, reserve1, last)
    self.unlocked = 1


# ---- the pool share as a token ----


@internal
def _approve(owner: address, spender: address, amount: uint256):
    self.allowance[owner][spender] = amount
    log Approval(owner=owner, spender=spender, value=amount)


@internal
def _transfer(sender: address, receiver: address, amount: uint256):
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, value=amount)


@external
def approve(spender: address, amount: uint256) -> bool:
    self._approve(msg.sender, spender, amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._transfer(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    allowed: uint256 = self.allowance[sender][msg.sender]
    if allowed != max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._transfer(sender, receiver, amount)
    return True


@external
def permit(
    owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32
):
    """
    @notice Approve by a signature of `owner` (EIP-2612).
    """
    assert deadline >= block.timestamp, "UniswapV2: EXPIRED"
    nonce: uint256 = self.nonces[owner]
    self.nonces[owner] = nonce + 1
    digest: bytes32 = keccak256(
        concat(
            x"1901",
            self.DOMAIN_SEPARATOR,
            keccak256(abi_encode(PERMIT_TYPEHASH, owner, spender, amount, nonce, deadline)),
        )
    )
    signer: address = ecrecover(digest, v, r, s)
    assert signer != empty(address) and signer == owner, "UniswapV2: INVALID_SIGNATURE"
    self._approve(owner, spender, amount)
