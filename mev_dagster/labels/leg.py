"""Legs of a sandwich in one pool: who bought before other people's swaps and sold behind them.

Which transactions belong together is told by who signed, by the contract that kept what was bought, and by
the account that holds it afterwards, wherever it is. Swaps are looked up by those accounts, so that a block's
work grows with its swaps and not with their pairs.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge

from mev_dagster.labels.flow import LEFTOVER_PARTS
from mev_dagster.labels.parties import Parties, parties_of
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.view import LandedView

LEAST_SOLD_BACK_PERCENT = 50
"""The back-run sells at least this share of what the front-run bought; attackers keep or lose some."""

MOST_FOLLOWED = 64
"""Swaps of one actor that are looked at behind its first one."""


@dataclass(frozen=True, slots=True)
class Legs:
    """What one actor bought and sold in one pool, and the swaps of others in between that bought too."""

    fronts: tuple[LandedSwap, ...]
    victims: tuple[LandedSwap, ...]
    backs: tuple[LandedSwap, ...]
    actor: frozenset[bytes]

    @property
    def own(self) -> frozenset[int]:
        """Return the positions of the actor's transactions in the block."""
        return frozenset(swap.tx_index for swap in (*self.fronts, *self.backs))


def legs_in(swaps: Sequence[LandedSwap], view: LandedView) -> Iterator[Legs]:
    """Yield the legs among the swaps of one pool; no swap is used twice."""
    read: dict[int, Parties] = {}
    for swap in swaps:
        if swap.tx_index not in read:
            read[swap.tx_index] = parties_of(view, swap.tx_index)
    pairs: dict[frozenset[bytes], list[LandedSwap]] = {}
    for swap in swaps:
        pairs.setdefault(frozenset((swap.token_in, swap.token_out)), []).append(swap)
    for own in pairs.values():
        if len(own) > 2:
            yield from _Trades(own, read).legs()


@dataclass(slots=True)
class _Trades:
    """The swaps of two tokens in one pool, in the order of the block, by position."""

    swaps: list[LandedSwap]
    parties: dict[int, Parties]
    at: list[int] = field(init=False)
    acts: dict[bytes, list[int]] = field(init=False)
    selling: dict[bytes, list[int]] = field(init=False)
    used: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.at = [swap.tx_index for swap in self.swaps]
        self.acts, self.selling = {}, {}
        for position, swap in enumerate(self.swaps):
            self.selling.setdefault(swap.token_in, []).append(position)
            for account in self.parties[swap.tx_index].sellers(swap):
                self.acts.setdefault(account, []).append(position)

    def legs(self) -> Iterator[Legs]:
        for start in range(len(self.swaps)):
            if start not in self.used:
                found = self._behind(start)
                if found is not None:
                    yield found

    def _behind(self, start: int) -> Legs | None:
        front = self.swaps[start]
        actor = self.parties[front.tx_index].buyers(front)
        fronts, backs, bought, sold = [start], list[int](), front.amount_out, 0
        for position in self._followed(start, actor):
            swap = self.swaps[position]
            buys = swap.token_in == front.token_in
            if buys and backs:
                break
            if not buys and not self._strangers(front.token_in, start, swap.tx_index, fronts):
                break
            (fronts if buys else backs).append(position)
            bought, sold = bought + swap.amount_out * buys, sold + swap.amount_in * (not buys)
            if sold * LEFTOVER_PARTS >= bought * (LEFTOVER_PARTS - 1):
                break
        if not backs or sold * 100 < bought * LEAST_SOLD_BACK_PERCENT:
            return None
        return self._closed(fronts, backs, actor)

    def _followed(self, start: int, actor: frozenset[bytes]) -> list[int]:
        """Return the next unused swaps that are the actor's."""
        lists = (self.acts.get(account, ()) for account in sorted(actor))
        found: list[int] = []
        for position in merge(*(_after(positions, start) for positions in lists)):
            if position not in self.used and (not found or position != found[-1]):
                found.append(position)
                if len(found) == MOST_FOLLOWED:
                    break
        return found

    def _strangers(self, token_in: bytes, start: int, before_tx: int, own: Sequence[int]) -> bool:
        """Say whether others bought between the front and a transaction."""
        end = bisect_left(self.at, before_tx)
        buying = self.selling.get(token_in, [])
        between = bisect_left(buying, end) - bisect_right(buying, start)
        return between > sum(1 for position in own if start < position < end)

    def _closed(self, fronts: list[int], backs: list[int], actor: frozenset[bytes]) -> Legs | None:
        first, last, mine = self.at[fronts[0]], self.at[backs[-1]], {*fronts, *backs}
        buying = self.selling[self.swaps[fronts[0]].token_in]
        between = buying[bisect_right(buying, fronts[0]) : bisect_left(buying, backs[-1])]
        victims = tuple(
            self.swaps[position]
            for position in between
            if position not in mine and first < self.at[position] < last
        )
        if not victims:
            return None
        for position in sorted(mine):
            self._use(position)
        swap = self.swaps.__getitem__
        return Legs(tuple(map(swap, fronts)), victims, tuple(map(swap, backs)), actor)

    def _use(self, position: int) -> None:
        """Take a swap out of what others may buy or follow."""
        self.used.add(position)
        buying = self.selling[self.swaps[position].token_in]
        del buying[bisect_left(buying, position)]


def _after(positions: Sequence[int], start: int) -> Iterator[int]:
    for index in range(bisect_right(positions, start), len(positions)):
        yield positions[index]
