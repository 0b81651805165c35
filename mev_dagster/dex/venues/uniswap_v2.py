"""Uniswap V2 and its forks: the pair's arithmetic, its state, and its events.

The formulas are those of `UniswapV2Library` and of `UniswapV2Pair.swap`, on integers of any size. A fee is
kept as the fraction of the input that trades (997/1000), because that is how the contracts write it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address_of_word, topic, word
from mev_dagster.dex.swaps import Protocol, SwapEvent
from mev_dagster.errors import DecodeError
from mev_dagster.evm.types import StateSource
from mev_dagster.hexadecimal import to_hex

SWAP_TOPIC = topic("Swap(address,uint256,uint256,uint256,uint256,address)")
SYNC_TOPIC = topic("Sync(uint112,uint112)")

# Storage layout of UniswapV2Pair: 0-4 ERC-20 and permit, 5 factory, then these.
TOKEN0_SLOT = 6
TOKEN1_SLOT = 7
RESERVES_SLOT = 8
RESERVE_BITS = 112
RESERVE_MASK = (1 << RESERVE_BITS) - 1


class Fee(NamedTuple):
    """The fraction of the input that trades."""

    numerator: int = 997
    denominator: int = 1000


STANDARD_FEE = Fee()


class Hop(NamedTuple):
    """One pair crossed in one direction."""

    reserve_in: int
    reserve_out: int
    fee: Fee


def amount_out(amount_in: int, hop: Hop) -> int:
    """Return the most that `amount_in` buys (`getAmountOut`)."""
    traded = amount_in * hop.fee.numerator
    return traded * hop.reserve_out // (hop.reserve_in * hop.fee.denominator + traded)


def amount_in(wanted_out: int, hop: Hop) -> int:
    """Return what the router asks for `wanted_out` (`getAmountIn`): never less than the least that does."""
    _check_depth(wanted_out, hop)
    numerator = hop.reserve_in * wanted_out * hop.fee.denominator
    return numerator // ((hop.reserve_out - wanted_out) * hop.fee.numerator) + 1


def least_amount_in(wanted_out: int, hop: Hop) -> int:
    """Return the least input that buys `wanted_out`; the router's own rounding may ask for one more."""
    _check_depth(wanted_out, hop)
    numerator = hop.reserve_in * wanted_out * hop.fee.denominator
    return -(-numerator // ((hop.reserve_out - wanted_out) * hop.fee.numerator))


def amounts_along(first_in: int, hops: Sequence[Hop]) -> tuple[int, ...]:
    """Return the input followed by the output of every hop (`getAmountsOut`)."""
    amounts = [first_in]
    for hop in hops:
        amounts.append(amount_out(amounts[-1], hop))
    return tuple(amounts)


def _check_depth(wanted_out: int, hop: Hop) -> None:
    if not 0 <= wanted_out < hop.reserve_out:
        raise ValueError(f"cannot take {wanted_out} out of a reserve of {hop.reserve_out}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair and its reserves at one moment."""

    address: bytes
    token0: bytes
    token1: bytes
    reserve0: int
    reserve1: int
    fee: Fee = STANDARD_FEE

    def trades(self, token: bytes) -> bool:
        """Say whether `token` is one of the two."""
        return token in (self.token0, self.token1)

    def other(self, token: bytes) -> bytes:
        """Return the token that is not `token`."""
        return self.token1 if token == self.token0 else self.token0

    def hop(self, token_in: bytes) -> Hop:
        """Return this pair as seen by someone who sells `token_in`."""
        if token_in == self.token0:
            return Hop(self.reserve0, self.reserve1, self.fee)
        if token_in == self.token1:
            return Hop(self.reserve1, self.reserve0, self.fee)
        raise ValueError(f"pair {to_hex(self.address)} does not trade {to_hex(token_in)}")

    def after(self, token_in: bytes, sold: int, bought: int) -> "Pair":
        """Return the pair after it took `sold` of `token_in` and gave `bought` of the other token."""
        if token_in == self.token0:
            return replace(self, reserve0=self.reserve0 + sold, reserve1=self.reserve1 - bought)
        return replace(self, reserve0=self.reserve0 - bought, reserve1=self.reserve1 + sold)

    def with_reserves(self, reserve0: int, reserve1: int) -> "Pair":
        """Return the pair at another moment."""
        return replace(self, reserve0=reserve0, reserve1=reserve1)

    def outputs(self, token_out: bytes, bought: int) -> tuple[int, int]:
        """Return `(amount0_out, amount1_out)` as `swap` takes them."""
        return (bought, 0) if token_out == self.token0 else (0, bought)

    def allows(self, amount0_in: int, amount1_in: int, amount0_out: int, amount1_out: int) -> bool:
        """Say whether `swap` would pass its own invariant check with these amounts."""
        if not (amount0_out or amount1_out) or not (amount0_in or amount1_in):
            return False
        if amount0_out >= self.reserve0 or amount1_out >= self.reserve1:
            return False
        kept = self.fee.denominator - self.fee.numerator
        balance0 = self.reserve0 + amount0_in - amount0_out
        balance1 = self.reserve1 + amount1_in - amount1_out
        adjusted0 = balance0 * self.fee.denominator - amount0_in * kept
        adjusted1 = balance1 * self.fee.denominator - amount1_in * kept
        return adjusted0 * adjusted1 >= self.reserve0 * self.reserve1 * self.fee.denominator**2


def read_pair(state: StateSource, address: bytes, fee: Fee) -> Pair:
    """Read a pair by its storage layout; raises `MissingState` when a slot is not known."""
    reserve0, reserve1 = unpack_reserves(state.storage(address, RESERVES_SLOT))
    return Pair(
        address,
        address_of_word(state.storage(address, TOKEN0_SLOT)),
        address_of_word(state.storage(address, TOKEN1_SLOT)),
        reserve0,
        reserve1,
        fee,
    )


def unpack_reserves(slot_value: int) -> tuple[int, int]:
    """Split the packed slot `blockTimestampLast (32) | reserve1 (112) | reserve0 (112)`."""
    return slot_value & RESERVE_MASK, slot_value >> RESERVE_BITS & RESERVE_MASK


class Sync(NamedTuple):
    """The reserves a pair announced."""

    pair: bytes
    reserve0: int
    reserve1: int


def decode_sync(log: Log) -> Sync:
    """Decode a Sync log."""
    if len(log.topics) != 1 or log.topics[0] != SYNC_TOPIC or len(log.data) != 64:
        raise DecodeError("not_a_v2_sync", f"{len(log.topics)} topics, {len(log.data)} bytes")
    return Sync(log.address, word(log.data, 0), word(log.data, 1))


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log. A swap that paid in both tokens is netted per token."""
    if len(log.topics) != 3 or log.topics[0] != SWAP_TOPIC or len(log.data) != 128:
        raise DecodeError("not_a_v2_swap", f"{len(log.topics)} topics, {len(log.data)} bytes")
    in0, in1, out0, out1 = (word(log.data, index) for index in range(4))
    return SwapEvent(
        Protocol.UNISWAP_V2, log.address, log.topics[1][12:], log.topics[2][12:], in0 - out0, in1 - out1
    )
