"""Which tokens a swap traded. Most events name their pool and two amounts, and not what they are amounts of.

In this order: what the event itself names; what its venue knows (the key of a pool that its id is the hash
of); what the pool took and gave in the same transaction; and the two tokens of which exactly the swap's
amounts moved between anybody, where there is one such token for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mev_dagster.dex.erc20 import Transfer, transfers_of
from mev_dagster.dex.registry import venues
from mev_dagster.dex.venue_events import SwapEvent
from mev_dagster.labels.flow import ETHER_AS_TOKEN, movements_of
from mev_dagster.labels.landed import LandedTx

Pair = tuple[bytes, bytes]
Book = tuple[bytes, bytes]

MOST_SEARCHES = 12
"""Pools of one block whose key is searched for: events are written by strangers, and a search is work."""

_ETHER_OF_VENUES = frozenset({ETHER_AS_TOKEN, b"\xee" * 20})
"""How venues write ether."""


@dataclass(slots=True)
class Through:
    """The tokens that one account took and gave, and those of which exactly so much was."""

    taken: set[bytes] = field(default_factory=set)
    given: set[bytes] = field(default_factory=set)
    taken_exactly: dict[int, set[bytes]] = field(default_factory=dict)
    given_exactly: dict[int, set[bytes]] = field(default_factory=dict)


_NOTHING = Through()


@dataclass(frozen=True, slots=True)
class Moved:
    """The tokens that moved in one transaction, by the account they passed and by amount."""

    tokens: tuple[bytes, ...]
    through: Mapping[bytes, Through]
    with_amount: Mapping[int, set[bytes]]


@dataclass(slots=True)
class Known:
    """The tokens of the pools of a block, in order of their addresses, as far as they were told."""

    tokens: dict[Book, Pair] = field(default_factory=dict)
    searched: set[Book] = field(default_factory=set)
    _moved: tuple[int, "Moved"] | None = None

    def moved_in(self, landed: LandedTx, wrapped_ether: bytes | None) -> "Moved":
        """Return what moved in a transaction, read once while its events are read."""
        if self._moved is None or self._moved[0] != landed.index:
            self._moved = (landed.index, _moved(landed, wrapped_ether))
        return self._moved[1]

    def may_search(self, book: Book) -> bool:
        """Say whether a pool's key may be searched for; it counts as searched from here on."""
        if book not in self.searched and len(self.searched) >= MOST_SEARCHES:
            return False
        self.searched.add(book)
        return True


def told_tokens(event: SwapEvent, landed: LandedTx, known: Known, wrapped_ether: bytes | None) -> Pair | None:
    """Return the tokens of the event's two amounts, None when nothing singles them out."""
    if event.tokens is not None:
        return _wrapped(event.tokens, wrapped_ether)
    book = (event.pool, event.pool_id)
    if book in known.tokens:
        return known.tokens[book]
    moved = known.moved_in(landed, wrapped_ether)
    tokens = None
    if event.pool_id:
        calls = [landed.tx.data, *(frame.input for frame in landed.frames if not frame.error)]
        tokens = venues().tokens(event, moved.tokens if known.may_search(book) else (), calls)
    else:
        tokens = _of_the_pool(event, moved.through.get(event.pool, _NOTHING))
    tokens = tokens or _of_the_amounts(event, moved) or _against_ether(event, moved)
    if tokens is None:
        return None
    pair = _wrapped(tokens, wrapped_ether)
    if event.by_address:
        known.tokens[book] = pair
    return pair


def _against_ether(event: SwapEvent, moved: Moved) -> Pair | None:
    """Return ether and the one token that a contract of many pools moved, where its amount is the swap's.

    Ether is the first of two tokens by address, and where its calls are not known it leaves no trace.
    """
    if not event.pool_id or not event.by_address:
        return None
    through = moved.through.get(event.pool, _NOTHING)
    own = through.taken | through.given
    alone = len(own) == 1 and own == moved.with_amount.get(abs(event.amount1))
    return (ETHER_AS_TOKEN, min(own)) if alone else None


def _wrapped(tokens: Pair, wrapped_ether: bytes | None) -> Pair:
    first, second = (
        wrapped_ether if wrapped_ether and token in _ETHER_OF_VENUES else token for token in tokens
    )
    return first, second


def _moved(landed: LandedTx, wrapped_ether: bytes | None) -> Moved:
    """Return what logs tell of transfers, and the ether that calls carried."""
    ether = movements_of((), landed.frames, wrapped_ether)
    through: dict[bytes, Through] = {}
    with_amount: dict[int, set[bytes]] = {}
    for transfer in (*transfers_of(landed.logs), *(Transfer(*movement, -1) for movement in ether)):
        token, amount = transfer.token, transfer.amount
        taker = through.setdefault(transfer.recipient, Through())
        giver = through.setdefault(transfer.sender, Through())
        taker.taken.add(token)
        taker.taken_exactly.setdefault(amount, set()).add(token)
        giver.given.add(token)
        giver.given_exactly.setdefault(amount, set()).add(token)
        with_amount.setdefault(transfer.amount, set()).add(transfer.token)
    tokens = sorted({token for found in with_amount.values() for token in found})
    return Moved(tuple(tokens), through, with_amount)


def _of_the_pool(event: SwapEvent, own: Through) -> Pair | None:
    """Return what the pool itself took and gave.

    A pool's liquidity token moves through the pool too when liquidity is removed; it is never one of the two.
    """
    taken, given = own.taken - {event.pool}, own.given - {event.pool}
    both = sorted(taken | given)
    if len(both) == 2 and event.by_address:
        return both[0], both[1]
    if len(taken) == 1 and len(given) == 1 and taken != given:
        return _in_order(event, min(taken), min(given))
    sold = own.taken_exactly.get(event.amount_in, set())
    return _single(event, sold, own.given_exactly.get(event.amount_out, set()))


def _of_the_amounts(event: SwapEvent, moved: Moved) -> Pair | None:
    sold, bought = (moved.with_amount.get(amount, set()) for amount in (event.amount_in, event.amount_out))
    return _single(event, sold, bought)


def _single(event: SwapEvent, sold: set[bytes], bought: set[bytes]) -> Pair | None:
    if len(sold) == 1 and len(bought) == 1 and sold != bought:
        return _in_order(event, min(sold), min(bought))
    return None


def _in_order(event: SwapEvent, sold: bytes, bought: bytes) -> Pair:
    return (sold, bought) if event.zero_for_one else (bought, sold)
