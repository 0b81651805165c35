"""The orders a builder holds between blocks, and what became of each: every state and reason is a row.

Bundles have a window of blocks, and may be replaced or cancelled: by signer and identifier, where the higher
number wins whatever arrives first. Pure: time and block numbers are handed in.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from mev_dagster.pbs.ordering import Dropped, Included
from mev_dagster.pbs.orders import Order

MOST_ORDERS = 4_096
MOST_REPLACEMENTS = 16_384
EVENTS_KEPT = 65_536


class OrderState(StrEnum):
    """Where an order is in its life."""

    RECEIVED = "received"
    REFUSED = "refused"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    INCLUDED = "included"
    DROPPED = "dropped"  # from one block; it stands for the next of its window
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One row: an order came into a state, at a block, for a reason (a stable code, empty where none)."""

    order_id: bytes
    state: OrderState
    block: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrderWindow:
    """When an order may enter: blocks and Unix seconds, both ends included; None is open."""

    first_block: int
    last_block: int
    min_timestamp: int | None = None
    max_timestamp: int | None = None

    def holds(self, block: int, timestamp: int) -> bool:
        """Say whether a block is in the window."""
        return (
            self.first_block <= block <= self.last_block
            and (self.min_timestamp is None or self.min_timestamp <= timestamp)
            and (self.max_timestamp is None or timestamp <= self.max_timestamp)
        )


@dataclass(frozen=True, slots=True)
class Replacement:
    """What an order replaces: the signer's earlier one of this identifier, where `number` is higher."""

    signer: bytes
    identifier: str
    number: int

    @property
    def key(self) -> tuple[bytes, str]:
        """What one order at a time has."""
        return self.signer, self.identifier


@dataclass(frozen=True, slots=True)
class _Held:
    order: Order
    window: OrderWindow
    replacement: Replacement | None


@dataclass(frozen=True, slots=True)
class _Latest:
    number: int
    order_id: bytes | None  # None: cancelled


class OrderPool:
    """Orders by id, at most `MOST_ORDERS`."""

    def __init__(self) -> None:
        self.events: deque[OrderEvent] = deque(maxlen=EVENTS_KEPT)
        self._held: dict[bytes, _Held] = {}
        self._latest: OrderedDict[tuple[bytes, str], _Latest] = OrderedDict()
        self._block = 0

    def __len__(self) -> int:
        """Return how many orders are held."""
        return len(self._held)

    def add(self, order: Order, window: OrderWindow, replacement: Replacement | None = None) -> bool:
        """Take an order in; False where it is refused, with the reason as a row."""
        reason = self._refusal(order, window, replacement)
        if reason is not None:
            self._note(order.order_id, OrderState.REFUSED, reason)
            return False
        if replacement is not None:
            self._displace(replacement, order.order_id, OrderState.REPLACED)
        self._held[order.order_id] = _Held(order, window, replacement)
        self._note(order.order_id, OrderState.RECEIVED)
        return True

    def cancel(self, replacement: Replacement) -> bool:
        """Take the signer's order of this identifier out; one that arrives late with no higher number too."""
        known = self._latest.get(replacement.key)
        if known is not None and known.number > replacement.number:
            return False
        self._displace(replacement, None, OrderState.CANCELLED)
        return True

    def for_block(self, block: int, timestamp: int) -> Iterator[Order]:
        """Yield the orders that may enter a block, by id."""
        for _, held in sorted(self._held.items()):
            if held.window.holds(block, timestamp):
                yield held.order

    def built(self, block: int, included: Iterable[Included], dropped: Iterable[Dropped]) -> None:
        """Note what a block did with the pool's orders. They stay: the block has not landed."""
        for item in included:
            if item.order.order_id in self._held:
                self._note(item.order.order_id, OrderState.INCLUDED, block=block)
        for left in dropped:
            if left.order.order_id in self._held:
                self._note(left.order.order_id, OrderState.DROPPED, left.code, block)

    def landed(self, block: int, tx_hashes: Iterable[bytes]) -> None:
        """Let go of what landed, and of what can enter no later block."""
        self._block, known = max(self._block, block), frozenset(tx_hashes)
        for order_id, held in sorted(self._held.items()):
            if any(tx.hash in known for tx in held.order.txs):
                self._remove(order_id, OrderState.EXPIRED, "landed")
            elif held.window.last_block <= block:
                self._remove(order_id, OrderState.EXPIRED, "window_over")

    def _refusal(self, order: Order, window: OrderWindow, replacement: Replacement | None) -> str | None:
        if not order.txs:
            return "empty"
        if window.last_block <= self._block or window.last_block < window.first_block:
            return "window_over"
        if order.order_id in self._held:
            return "known"
        if replacement is not None:
            known = self._latest.get(replacement.key)
            if known is not None and known.number >= replacement.number:
                return "cancelled" if known.order_id is None else "older_replacement"
            if known is not None and known.order_id in self._held:
                return None  # it takes the other's place
        return "pool_full" if len(self._held) >= MOST_ORDERS else None

    def _displace(self, replacement: Replacement, order_id: bytes | None, state: OrderState) -> None:
        known = self._latest.pop(replacement.key, None)
        if known is not None and known.order_id is not None and known.order_id in self._held:
            self._remove(known.order_id, state)
        self._latest[replacement.key] = _Latest(replacement.number, order_id)
        while len(self._latest) > MOST_REPLACEMENTS:
            self._latest.popitem(last=False)

    def _remove(self, order_id: bytes, state: OrderState, reason: str = "") -> None:
        del self._held[order_id]
        self._note(order_id, state, reason)

    def _note(self, order_id: bytes, state: OrderState, reason: str = "", block: int | None = None) -> None:
        self.events.append(OrderEvent(order_id, state, self._block if block is None else block, reason))
