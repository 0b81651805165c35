"""A pair: its storage, its quote, and what its logs and calls do to it."""

from dataclasses import dataclass, replace

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address_of_word
from mev_dagster.dex.constant_product import STANDARD_FEE, Fee, Hop, amount_out
from mev_dagster.dex.venue import PairSwap, Pool, PoolState, Trade
from mev_dagster.dex.venues.uniswap_v2.events import PROTOCOL, SYNC_TOPIC, decode_sync
from mev_dagster.errors import DecodeError
from mev_dagster.evm.types import StateSource
from mev_dagster.hexadecimal import to_hex

# Storage layout of UniswapV2Pair: 0-4 ERC-20 and permit, 5 factory, then these.
TOKEN0_SLOT = 6
TOKEN1_SLOT = 7
RESERVES_SLOT = 8
RESERVE_BITS = 112
RESERVE_MASK = (1 << RESERVE_BITS) - 1
PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Pair(Pool):
    """A pair and its reserves at one moment."""

    address: bytes
    token0: bytes
    token1: bytes
    reserve0: int
    reserve1: int
    fee: Fee = STANDARD_FEE
    family: str = PROTOCOL

    @property
    def tokens(self) -> tuple[bytes, bytes]:
        """Return the two tokens."""
        return self.token0, self.token1

    @property
    def slots(self) -> tuple[tuple[bytes, int], ...]:
        """Return the one slot that trades change."""
        return ((self.address, RESERVES_SLOT),)

    @property
    def fee_ppm(self) -> int:
        """Return the share of an input that stays in the pair."""
        return (self.fee.denominator - self.fee.numerator) * PER_MILLION // self.fee.denominator

    @property
    def at(self) -> PoolState:
        """Return the reserves."""
        return PoolState(self.reserve0, self.reserve1)

    def quote(self, token_in: bytes, token_out: bytes, amount_in: int) -> int:
        """Return what `amount_in` buys."""
        return amount_out(amount_in, self.hop(token_in))

    def constant_product(self, token_in: bytes, token_out: bytes) -> Hop:
        """Return the reserves: the quote is the formula itself."""
        return self.hop(token_in)

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

    def after(self, log: Log) -> "Pair":
        """Return the pair behind one of its logs: every change of reserves is announced by a Sync."""
        if not log.topics or log.topics[0] != SYNC_TOPIC:
            return self
        try:
            return self.with_reserves(*decode_sync(log).reserves)
        except DecodeError:
            return self

    def swapped(self, token_in: bytes, sold: int, bought: int) -> "Pair":
        """Return the pair after it took `sold` of `token_in` and gave `bought` of the other token."""
        if token_in == self.token0:
            return replace(self, reserve0=self.reserve0 + sold, reserve1=self.reserve1 - bought)
        return replace(self, reserve0=self.reserve0 - bought, reserve1=self.reserve1 + sold)

    def with_reserves(self, reserve0: int, reserve1: int) -> "Pair":
        """Return the pair at another moment."""
        return replace(self, reserve0=reserve0, reserve1=reserve1)

    def call(self, trade: Trade) -> PairSwap:
        """Return the call of `swap`, which finds the input already paid."""
        return PairSwap(self.address, *self.outputs(trade.token_out, trade.amount_out), trade.recipient)

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


def read_pair(state: StateSource, address: bytes, fee: Fee, family: str = PROTOCOL) -> Pair:
    """Read a pair by its storage layout; raises `MissingState` when a slot is not known."""
    reserve0, reserve1 = unpack_reserves(state.storage(address, RESERVES_SLOT))
    return Pair(
        address,
        address_of_word(state.storage(address, TOKEN0_SLOT)),
        address_of_word(state.storage(address, TOKEN1_SLOT)),
        reserve0,
        reserve1,
        fee,
        family,
    )


def unpack_reserves(slot_value: int) -> tuple[int, int]:
    """Split the packed slot `blockTimestampLast (32) | reserve1 (112) | reserve0 (112)`."""
    return slot_value & RESERVE_MASK, slot_value >> RESERVE_BITS & RESERVE_MASK
