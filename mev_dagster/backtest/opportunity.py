"""What both sides are reduced to: a kind, the pending transaction it hangs on, and the pools of the gap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mev_dagster.labels.label import BlockLabels
from mev_dagster.search.plan import Kind
from mev_dagster.search.rank import Candidate

COMMON_POOLS_OF_A_GAP = 2
"""An arbitrage is between two prices: two cycles with two pools in common take the same gap."""


@dataclass(frozen=True, slots=True)
class Landed:
    """An opportunity somebody took.

    `worth_wei` is before gas and payments, because what was bid for the place in the block hides in them;
    None when the profit is no ether.
    """

    kind: Kind
    victims: frozenset[bytes]
    pools: frozenset[bytes]
    tx_hashes: tuple[bytes, ...]
    worth_wei: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """An opportunity the search proposed: every candidate that would take it, best first."""

    ways: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """Return the candidate that ranks first."""
        return self.ways[0]

    @property
    def kind(self) -> Kind:
        """Return what the best candidate does."""
        return self.best.kind

    @property
    def profit_wei(self) -> int:
        """Return the best candidate's profit after gas, as executed."""
        return self.best.simulated_profit_wei or 0

    def way_that_landed(self, landed: Landed) -> Candidate | None:
        """Return the best candidate that does what somebody did, None when none does."""
        return next((way for way in self.ways if _did(way, landed)), None)


def landed_in(labels: BlockLabels) -> Iterator[Landed]:
    """Yield what was taken in a block that a search could have proposed."""
    for label in labels.labels:
        if label.opportunity:
            yield Landed(
                Kind(label.opportunity),
                frozenset(label.victim_hashes),
                frozenset(label.venues),
                label.tx_hashes,
                label.worth_wei(labels.block.wrapped_ether),
            )


def opportunities_of(candidates: Iterable[Candidate]) -> list[Found]:
    """Return the opportunities among ranked candidates, best first.

    Cycles that cross a common pair compete for its price, whatever transactions they stand behind.
    """
    found: list[list[Candidate]] = []
    for candidate in candidates:
        same = next((ways for ways in found if _competes(candidate, ways[0])), None)
        if same is None:
            found.append([candidate])
        else:
            same.append(candidate)
    return [Found(tuple(ways)) for ways in found]


def _competes(one: Candidate, other: Candidate) -> bool:
    if not set(one.plan.venues) & set(other.plan.venues):
        return False
    sandwiches = (one.kind is Kind.SANDWICH, other.kind is Kind.SANDWICH)
    return one.pending_hashes == other.pending_hashes if all(sandwiches) else not any(sandwiches)


def _did(way: Candidate, landed: Landed) -> bool:
    if way.kind is not landed.kind:
        return False
    victims, pools = set(way.pending_hashes[-1:]), set(way.plan.venues)
    if landed.kind is Kind.SANDWICH:
        return victims <= landed.victims and pools == landed.pools
    if landed.kind is Kind.BACKRUN:
        return victims == landed.victims and bool(pools & landed.pools)
    return len(pools & landed.pools) >= COMMON_POOLS_OF_A_GAP
