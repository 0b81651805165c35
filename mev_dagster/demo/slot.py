"""One slot as its players see it: the market at its start, the fees to offer, and the dice."""

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from mev_dagster.chain.envelope import ACCESS_LIST, DYNAMIC_FEE, LEGACY
from mev_dagster.chain.transactions import AccessListEntry, Authorization, Transaction
from mev_dagster.demo.cast import Fees, Wallet
from mev_dagster.demo.trading import Book, Swap
from mev_dagster.dex.venues.uniswap_v2.pool import RESERVES_SLOT, TOKEN0_SLOT, TOKEN1_SLOT
from mev_dagster.units import GWEI

T = TypeVar("T")

FIRST_SECOND, LAST_SECOND = 0.4, 10.8
LEGACY_IN, ACCESS_LIST_IN = 4, 12  # one legacy transaction in 4, one swap with an access list in 12
PAIR_SLOTS = tuple(slot.to_bytes(32, "big") for slot in (TOKEN0_SLOT, TOKEN1_SLOT, RESERVES_SLOT))


class Sending(NamedTuple):
    """One transaction on its way: when in the slot, what for, and the bytes that are sent."""

    at_seconds: float
    what: str
    transaction: Transaction
    raw: bytes
    fees: Fees


class Whale(NamedTuple):
    """A large swap on its way, as anyone can decode it from the mempool."""

    swap: Swap
    fees: Fees
    at_seconds: float


class PlayerSlot:
    """What a player needs to act in one slot."""

    def __init__(self, dice: random.Random, book: Book, base_fee_wei: int) -> None:
        self._dice = dice
        self.book = book
        self.market = book.market
        self.base_fee_wei = base_fee_wei

    # ---- sending ----

    def send_swap(
        self,
        wallet: Wallet,
        swap: Swap,
        what: str,
        *,
        fees: Fees | None = None,
        at: tuple[float, float] = (FIRST_SECOND, LAST_SECOND),
    ) -> Sending:
        """Send a swap to its venue's router."""
        return self.send(
            wallet,
            what,
            to=self.market.routers[swap.venue],
            data=swap.calldata(self.market, wallet.address),
            value_wei=swap.value_wei,
            gas_limit=swap.gas_limit,
            fees=fees,
            at=at,
            touches=swap.pools(self.market),
        )

    def send(
        self,
        wallet: Wallet,
        what: str,
        *,
        to: bytes | None,
        gas_limit: int,
        data: bytes = b"",
        value_wei: int = 0,
        fees: Fees | None = None,
        at: tuple[float, float] = (FIRST_SECOND, LAST_SECOND),
        kind: int | None = None,
        touches: tuple[bytes, ...] = (),
        authorizations: tuple[Authorization, ...] = (),
    ) -> Sending:
        """Sign and time a transaction; fees, type and moment are diced where not given."""
        fees = fees or self.fees(self.between(200, 3_000) * GWEI // 1_000)
        kind = self.kind(touches) if kind is None else kind
        if kind in {LEGACY, ACCESS_LIST}:
            fees = self.gas_price(fees)
        listed = tuple(AccessListEntry(pool, PAIR_SLOTS) for pool in touches) if kind == ACCESS_LIST else ()
        transaction = wallet.sign(
            fees,
            to=to,
            gas_limit=gas_limit + 8_000 * len(listed),
            kind=kind,
            value_wei=value_wei,
            data=data,
            access_list=listed,
            authorizations=authorizations,
        )
        return Sending(self.second(*at), what, transaction, transaction.raw, fees)

    # ---- fees and dice ----

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        return self._dice.randint(low, high)

    def noise(self, count: int) -> bytes:
        """Return meaningless bytes."""
        return self._dice.randbytes(count)

    def one_in(self, count: int) -> bool:
        """Say yes once in `count` times."""
        return self._dice.randrange(count) == 0

    def choice(self, options: Sequence[T]) -> T:
        """Return one of `options`."""
        return options[self._dice.randrange(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return `count` different `options`."""
        return self._dice.sample(options, count)

    def second(self, low: float, high: float) -> float:
        """Return a moment of the slot."""
        return round(self._dice.uniform(low, high), 3)

    def fees(self, priority_fee_wei: int) -> Fees:
        """Return fees that stay valid for a few blocks; a random wei keeps offers apart."""
        tip = priority_fee_wei + self._dice.randrange(10**5)
        return Fees(self.base_fee_wei * 5 // 4 + tip, tip)

    def gas_price(self, fees: Fees) -> Fees:
        """Return the offer of a type that has one price only."""
        price = self.base_fee_wei * 9 // 8 + fees.priority_fee_wei
        return Fees(price, price)

    def kind(self, touches: tuple[bytes, ...]) -> int:
        """Return a transaction type: mostly 2."""
        if touches and self.one_in(ACCESS_LIST_IN):
            return ACCESS_LIST
        return LEGACY if self.one_in(LEGACY_IN) else DYNAMIC_FEE
