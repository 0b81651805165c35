# pragma version 0.4.3
# pragma evm-version prague
"""
@title Router
@notice Swaps along a path of pairs and adds or removes liquidity, with Uniswap V2's function signatures.
@dev Pairs are found by asking the factory, not by recomputing CREATE2 addresses.
"""

interface Token:
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

interface WrappedEther:
    def deposit(): payable
    def withdraw(wad: uint256): nonpayable

interface Factory:
    def getPair(token_a: address, token_b: address) -> address: view
    def createPair(token_a: address, token_b: address) -> address: nonpayable

interface Pair:
    def getReserves() -> (uint112, uint112, uint32): view
    def swap(amount0_out: uint256, amount1_out: uint256, to: address, data: Bytes[1]): nonpayable
    def mint(to: address) -> uint256: nonpayable
    def burn(to: address) -> (uint256, uint256): nonpayable

MAX_PATH: constant(uint256) = 6

factory: public(immutable(address))
WETH: public(immutable(address))


@deploy
def __init__(factory_: address, weth_: address):
    factory = factory_
    WETH = weth_


@external
@payable
def __default__():
    assert msg.sender == WETH


@internal
@view
def _ensure(deadline: uint256):
    assert deadline >= block.timestamp, "UniswapV2Router: EXPIRED"


@internal
def _pull(token: address, sender: address, receiver: address, amount: uint256):
    assert extcall Token(token).transferFrom(
        sender, receiver, amount, default_return_value=True
    ), "TransferHelper: TRANSFER_FROM_FAILED"


@internal
def _push(token: address, receiver: address, amount: uint256):
    assert extcall Token(token).transfer(
        receiver, amount, default_return_value=True
    ), "TransferHelper: TRANSFER_FAILED"


# ---- quotes ----


@internal
@pure
def _in_order(token_a: address, token_b: address) -> bool:
    return convert(token_a, uint160) < convert(token_b, uint160)


@internal
@view
def _pair(token_a: address, token_b: address) -> address:
    return staticcall Factory(factory).getPair(token_a, token_b)


@internal
@view
def _reserves(pair: address, token_in: address, token_out: address) -> (uint256, uint256):
    reserve0: uint112 = 0
    reserve1: uint112 = 0
    last: uint32 = 0
    reserve0, reserve1, last = staticcall Pair(pair).getReserves()
    if self._in_order(token_in, token_out):
        return convert(reserve0, uint256), convert(reserve1, uint256)
    return convert(reserve1, uint256), convert(reserve0, uint256)


@internal
@pure
def _quote(amount_a: uint256, reserve_a: uint256, reserve_b: uint256) -> uint256:
    assert amount_a > 0, "UniswapV2Library: INSUFFICIENT_AMOUNT"
    assert reserve_a > 0 and reserve_b > 0, "UniswapV2Library: INSUFFICIENT_LIQUIDITY"
    return amount_a * reserve_b // reserve_a


@internal
@pure
def _amount_out(amount_in: uint256, reserve_in: uint256, reserve_out: uint256) -> uint256:
    assert amount_in > 0, "UniswapV2Library: INSUFFICIENT_INPUT_AMOUNT"
    assert reserve_in > 0 and reserve_out > 0, "UniswapV2Library: INSUFFICIENT_LIQUIDITY"
    after_fee: uint256 = amount_in * 997
    return after_fee * reserve_out // (reserve_in * 1000 + after_fee)


@internal
@pure
def _amount_in(amount_out: uint256, reserve_in: uint256, reserve_out: uint256) -> uint256:
    assert amount_out > 0, "UniswapV2Library: INSUFFICIENT_OUTPUT_AMOUNT"
    assert reserve_in > 0 and reserve_out > 0, "UniswapV2Library: INSUFFICIENT_LIQUIDITY"
    return reserve_in * amount_out * 1000 // ((reserve_out - amount_out) * 997) + 1


@internal
@view
def _amounts_out(amount_in: uint256, path: DynArray[address, MAX_PATH]) -> DynArray[uint256, MAX_PATH]:
    assert len(path) >= 2, "UniswapV2Library: INVALID_PATH"
    amounts: DynArray[uint256, MAX_PATH] = [amount_in]
    for i: uint256 in range(len(path) - 1, bound=MAX_PATH):
        reserve_in: uint256 = 0
        reserve_out: uint256 = 0
        reserve_in, reserve_out = self._reserves(self._pair(path[i], path[i + 1]), path[i], path[i + 1])
        amounts.append(self._amount_out(amounts[i], reserve_in, reserve_out))
    return amounts


@internal
@view
def _amounts_in(amount_out: uint256, path: DynArray[address, MAX_PATH]) -> DynArray[uint256, MAX_PATH]:
    assert len(path) >= 2, "UniswapV2Library: INVALID_PATH"
    amounts: DynArray[uint256, MAX_PATH] = []
    for i: uint256 in range(len(path), bound=MAX_PATH):
        amounts.append(amount_out)
    for i: uint256 in range(len(path) - 1, bound=MAX_PATH):
        hop: uint256 = len(path) - 1 - i
        token_in: address = path[hop - 1]
        reserve_in: uint256 = 0
        reserve_out: uint256 = 0
        reserve_in, reserve_out = self._reserves(self._pair(token_in, path[hop]), token_in, path[hop])
        amounts[hop - 1] = self._amount_in(amounts[hop], reserve_in, reserve_out)
    return amounts


@external
@pure
def quote(amount_a: uint256, reserve_a: uint256, reserve_b: uint256) -> uint256:
    return self._quote(amount_a, reserve_a, reserve_b)


@external
@pure
def getAmountOut(amount_in: uint256, reserve_in: uint256, reserve_out: uint256) -> uint256:
    return self._amount_out(amount_in, reserve_in, reserve_out)


@external
@pure
def getAmountIn(amount_out: uint256, reserve_in: uint256, reserve_out: uint256) -> uint256:
    return self._amount_in(amount_out, reserve_in, reserve_out)


@external
@view
def getAmountsOut(amount_in: uint256, path: DynArray[address, MAX_PATH]) -> DynArray[uint256, MAX_PATH]:
    return self._amounts_out(amount_in, path)


@external
@view
def getAmountsIn(amount_out: uint256, path: DynArray[address, MAX_PATH]) -> DynArray[uint256, MAX_PATH]:
    return self._amounts_in(amount_out, path)


# ---- swaps ----


@internal
def _swap(amounts: DynArray[uint256, MAX_PATH], path: DynArray[address, MAX_PATH], to: address):
    """
    @dev The first pair has been paid already; every pair pays straight into the next one.
    """
    for i: uint256 in range(len(path) - 1, bound=MAX_PATH):
        amount0_out: uint256 = 0
        amount1_out: uint256 = amounts[i + 1]
        if not self._in_order(path[i], path[i + 1]):
            amount0_out = amounts[i + 1]
            amount1_out = 0
        receiver: address = to
        if i + 2 < len(path):
            receiver = self._pair(path[i + 1], path[i + 2])
        extcall Pair(self._pair(path[i], path[i + 1])).swap(amount0_out, amount1_out, receiver, b"")


@internal
def _swap_ether_in(amounts: DynArray[uint256, MAX_PATH], path: DynArray[address, MAX_PATH], to: address):
    extcall WrappedEther(WETH).deposit(value=amounts[0])
    self._push(WETH, self._pair(path[0], path[1]), amounts[0])
    self._swap(amounts, path, to)


@internal
def _swap_ether_out(
    amounts: DynArray[uint256, MAX_PATH], path: DynArray[address, MAX_PATH], sender: address, to: address
):
    self._pull(path[0], sender, self._pair(path[0], path[1]), amounts[0])
    self._swap(amounts, path, self)
    received: uint256 = amounts[len(amounts) - 1]
    extcall WrappedEther(WETH).withdraw(received)
    raw_call(to, b"", value=received)


@external
def swapExactTokensForTokens(
    amount_in: uint256,
    amount_out_min: uint256,
    path: DynArray[address, MAX_PATH],
    to: address,
    deadline: uint256,
) -> DynArray[uint256, MAX_PATH]:
    self._ensure(deadline)
    amounts: DynArray[uint256, MAX_PATH] = self._amounts_out(amount_in, path)
    assert amounts[len(amounts) - 1] >= amount_out_min, "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT"
    self._pull(path[0], msg.sender, self._pair(path[0], path[1]), amounts[0])
    self._swap(amounts, path, to)
    return amounts


@external
def swapTokensForExactTokens(
    amount_out: uint256,
    amount_in_max: uint256,
    path: DynArray[address, MAX_PATH],
    to: address,
    deadline: uint256,
) -> DynArray[uint256, MAX_PATH]:
    self._ensure(deadline)
    amounts: DynArray[uint256, MAX_PATH] = self._amounts_in(amount_out, path)
    assert amounts[0] <= amount_in_max, "UniswapV2Router: EXCESSIVE_INPUT_AMOUNT"
    self._pull(path[0], msg.sender, self._pair(path[0], path[1]), amounts[0])
    self._swap(amounts, path, to)
    return amounts


@external
@payable
def swapExactETHForTokens(
    amount_out_min: uint256, path: DynArray[address, MAX_PATH], to: address, deadline: uint256
) -> DynArray[uint256, MAX_PATH]:
    self._ensure(deadline)
    assert path[0] == WETH, "UniswapV2Router: INVALID_PATH"
    amounts: DynArray[uint256, MAX_PATH] = self._amounts_out(msg.value, path)
    assert amounts[len(amounts) - 1] >= amount_out_min, "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT"
    self._swap_ether_in(amounts, path, to)
    return amounts


@external
@payable
def swapETHForExactTokens(
    amount_out: uint256, path: DynArray[address, MAX_PATH], to: address, deadline: uint256
) -> DynArray[uint256, MAX_PATH]:
    self._ensure(deadline)
    assert path[0] == WETH, "UniswapV2Router: INVALID_PATH"
    amounts: DynArray[uint256, MAX_PATH] = self._amounts_in(amount_out, path)
    assert amounts[0] <= msg.value, "UniswapV2Router: EXCESSIVE_INPUT_AMOUNT"
    self._swap_ether_in(amounts, path, to)
    if msg.value > amounts[0]:
        raw_call(msg.sender, b"", value=msg.value - amounts[0])
    return amounts


@external
def swapExactTokensForETH(
    amount_in: uint256,
    amount_out_min: uint256,
    path: DynArray[address, MAX_PATH],
    to: address,
    deadline: uint256,
) -> DynArray[uint256, MAX_PATH]:
    self._ensure(deadline)
    assert path[len(path) - 1] == WETH, "UniswapV2Router: INVALID_PATH"
    amounts: DynArray[uint256, MAX_PATH] = self._amounts_out(amount_in, path)
    assert amounts[len(amounts) - 1] >= amount_out_min, "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT"
    self._swap_ether_out(amounts, path, msg.sender, to)
    return amounts


@external
def swapTokensForExactETH(
    amount_out: uint256,
    amount_in_max: uint256,
    path: DynArray[address, MAX_PATH],
    to: address,
    deadline: uint256,
) -> DynArray[uint256, MAX_PATH]:
    self._ensure(deadline)
    assert path[len(path) - 1] == WETH, "UniswapV2Router: INVALID_PATH"
    amounts: DynArray[uint256, MAX_PATH] = self._amounts_in(amount_out, path)
    assert amounts[0] <= amount_in_max, "UniswapV2Router: EXCESSIVE_INPUT_AMOUNT"
    self._swap_ether_out(amounts, path, msg.sender, to)
    return amounts


# ---- liquidity ----


@internal
def _liquidity_amounts(
    token_a: address, token_b: address, desired_a: uint256, desired_b: uint256, min_a: uint256, min_b: uint256
) -> (address, uint256, uint256):
    """
    @dev The pair (made when absent) and the largest amounts within the wish that keep its price.
    """
    pair: address = self._pair(token_a, token_b)
    if pair == empty(address):
        pair = extcall Factory(factory).createPair(token_a, token_b)
    reserve_a: uint256 = 0
    reserve_b: uint256 = 0
    reserve_a, reserve_b = self._reserves(pair, token_a, token_b)
    if reserve_a == 0 and reserve_b == 0:
        return pair, desired_a, desired_b
    optimal_b: uint256 = self._quote(desired_a, reserve_a, reserve_b)
    if optimal_b <= desired_b:
        assert optimal_b >= min_b, "UniswapV2Router: INSUFFICIENT_B_AMOUNT"
        return pair, desired_a, optimal_b
    optimal_a: uint256 = self._quote(desired_b, reserve_b, reserve_a)
    assert optimal_a >= min_a, "UniswapV2Router: INSUFFICIENT_A_AMOUNT"
    return pair, optimal_a, desired_b


@external
def addLiquidity(
    token_a: address,
    token_b: address,
    amount_a_desired: uint256,
    amount_b_desired: uint256,
    amount_a_min: uint256,
    amount_b_min: uint256,
    to: address,
    deadline: uint256,
) -> (uint256, uint256, uint256):
    self._ensure(deadline)
    pair: address = empty(address)
    amount_a: uint256 = 0
    amount_b: uint256 = 0
    pair, amount_a, amount_b = self._liquidity_amounts(
        token_a, token_b, amount_a_desired, amount_b_desired, amount_a_min, amount_b_min
    )
    self._pull(token_a, msg.sender, pair, amount_a)
    self._pull(token_b, msg.sender, pair, amount_b)
    shares: uint256 = extcall Pair(pair).mint(to)
    return amount_a, amount_b, shares


@external
@payable
def addLiquidityETH(
    token: address,
    amount_token_desired: uint256,
    amount_token_min: uint256,
    amount_eth_min: uint256,
    to: address,
    deadline: uint256,
) -> (uint256, uint256, uint256):
    self._ensure(deadline)
    pair: address = empty(address)
    amount_token: uint256 = 0
    amount_eth: uint256 = 0
    pair, amount_token, amount_eth = self._liquidity_amounts(
        token, WETH, amount_token_desired, msg.value, amount_token_min, amount_eth_min
    )
    self._pull(token, msg.sender, pair, amount_token)
    extcall WrappedEther(WETH).deposit(value=amount_eth)
    self._push(WETH, pair, amount_eth)
    shares: uint256 = extcall Pair(pair).mint(to)
    if msg.value > amount_eth:
        raw_call(msg.sender, b"", value=msg.value - amount_eth)
    return amount_token, amount_eth, shares


@internal
def _remove(
    token_a: address,
    token_b: address,
    shares: uint256,
    amount_a_min: uint256,
    amount_b_min: uint256,
    sender: address,
    to: address,
) -> (uint256, uint256):
    pair: address = self._pair(token_a, token_b)
    self._pull(pair, sender, pair, shares)
    amount_a: uint256 = 0
    amount_b: uint256 = 0
    if self._in_order(token_a, token_b):
        amount_a, amount_b = extcall Pair(pair).burn(to)
    else:
        amount_b, amount_a = extcall Pair(pair).burn(to)
    assert amount_a >= amount_a_min, "UniswapV2Router: INSUFFICIENT_A_AMOUNT"
    assert amount_b >= amount_b_min, "UniswapV2Router: INSUFFICIENT_B_AMOUNT"
    return amount_a, amount_b


@external
def removeLiquidity(
    token_a: address,
    token_b: address,
    shares: uint256,
    amount_a_min: uint256,
    amount_b_min: uint256,
    to: address,
    deadline: uint256,
) -> (uint256, uint256):
    self._ensure(deadline)
    return self._remove(token_a, token_b, shares, amount_a_min, amount_b_min, msg.sender, to)


@external
def removeLiquidityETH(
    token: address,
    shares: uint256,
    amount_token_min: uint256,
    amount_eth_min: uint256,
    to: address,
    deadline: uint256,
) -> (uint256, uint256):
    self._ensure(deadline)
    amount_token: uint256 = 0
    amount_eth: uint256 = 0
    amount_token, amount_eth = self._remove(
        token, WETH, shares, amount_token_min, amount_eth_min, msg.sender, self
    )
    self._push(token, to, amount_token)
    extcall WrappedEther(WETH).withdraw(amount_eth)
    raw_call(to, b"", value=amount_eth)
    return amount_token, amount_eth
