"""Which candidates one block can hold together, and what the best such set earns.

A candidate was executed alone on the parent's state. What it showed holds beside others as long as no other
touches what it stands on: the pending transactions it builds on, the pools it trades in, and the pools that
those transactions move.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from mev_dagster.search.plan import Plan

MOST_STEPS = 50_000
"""Choices tried before the best set so far is taken; the first one tried is never worse than greed."""

Needs = frozenset[bytes]


class Earning(Protocol):
    """A candidate, as the search has it or as it was stored."""

    @property
    def plan(self) -> Plan:
        """What it does."""

    @property
    def simulated_profit_wei(self) -> int | None:
        """The profit as executed, after gas."""

    @property
    def verified(self) -> bool:
        """Whether execution confirmed a profit."""


One = TypeVar("One", bound=Earning)


def needs_of(plan: Plan) -> Needs:
    """Return what no other plan of a set may touch."""
    return frozenset((*(tx.hash for tx in plan.pending), *plan.venues, *plan.moves))


def best_together(candidates: Sequence[One]) -> tuple[One, ...]:
    """Return the verified candidates that earn most together, in the order given."""
    verified = [one for one in candidates if one.verified]
    offers = [(one.simulated_profit_wei or 0, needs_of(one.plan)) for one in verified]
    return tuple(verified[position] for position in best_set(offers))


def total_profit_wei(candidates: Sequence[Earning]) -> int:
    """Return what one block can earn with these: rivals for a transaction or a pool are not added up."""
    return sum(one.simulated_profit_wei or 0 for one in best_together(candidates))


def best_set(offers: Sequence[tuple[int, Needs]], steps: int = MOST_STEPS) -> tuple[int, ...]:
    """Return the positions of the offers of largest sum of which no two need the same, in order.

    Equal sums go to the set that takes the earlier offer. Offers that share nothing, not even through others,
    are decided apart.
    """
    chosen: list[int] = []
    groups = _groups(offers)
    for group in groups:
        chosen += _Choice([(offers[at][0], offers[at][1], at) for at in group], steps // len(groups)).made()
    return tuple(sorted(chosen))


def _groups(offers: Sequence[tuple[int, Needs]]) -> list[list[int]]:
    """Return the positions of offers that pay, those that share something together."""
    leader: dict[int, int] = {}
    first_with: dict[bytes, int] = {}

    def find(position: int) -> int:
        while leader[position] != position:
            leader[position] = leader[leader[position]]
            position = leader[position]
        return position

    for position, (worth, needs) in enumerate(offers):
        if worth <= 0:
            continue
        leader[position] = position
        for need in needs:
            one, other = find(first_with.setdefault(need, position)), find(position)
            leader[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for position in leader:
        groups.setdefault(find(position), []).append(position)
    return list(groups.values())


class _Choice:
    """Branch and bound over the offers of one group, the most worth first."""

    def __init__(self, offers: list[tuple[int, Needs, int]], steps: int) -> None:
        self._offers = sorted(offers, key=lambda offer: (-offer[0], offer[2]))
        self._left = [0] * (len(offers) + 1)
        for position in range(len(offers) - 1, -1, -1):
            self._left[position] = self._left[position + 1] + self._offers[position][0]
        self._steps = max(steps, len(offers) + 1)
        self._best: tuple[int, list[int]] = (0, [])

    def made(self) -> list[int]:
        """Return the positions of the best set found within the steps."""
        stack: list[tuple[int, int, Needs, list[int]]] = [(0, 0, frozenset(), [])]
        while stack and self._steps:
            self._steps -= 1
            position, worth, used, taken = stack.pop()
            if worth > self._best[0]:
                self._best = (worth, taken)
            if position == len(self._offers) or worth + self._left[position] <= self._best[0]:
                continue
            value, needs, at = self._offers[position]
            stack.append((position + 1, worth, used, taken))
            if not needs & used:
                stack.append((position + 1, worth + value, used | needs, [*taken, at]))
        return self._best[1]
