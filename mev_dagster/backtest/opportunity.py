"""What both sides are reduced to: a kind, the pending transaction it hangs on, and the pools of the gap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.value import NOT_TAKEN
from mev_dagster.search.landed import Landed
from mev_dagster.search.plan import Plan
from mev_dagster.search.strategy import does


class Way(Protocol):
    """A candidate as the search has it, or as it was stored."""

    @property
    def opportunity_id(self) -> bytes:
        """The decision's id."""

    @property
    def plan(self) -> Plan:
        """What it does."""

    @property
    def rank(self) -> int:
        """Its place in the block, from 0."""

    @property
    def kind(self) -> str:
        """What it is called."""

    @property
    def pending_hashes(self) -> tuple[bytes, ...]:
        """The pending transactions it builds on."""

    @property
    def expected_profit_wei(self) -> int:
        """The profit by the formulas, before gas."""

    @property
    def simulated_profit_wei(self) -> int | None:
        """The profit as executed, after gas."""

    @property
    def verified(self) -> bool:
        """Whether execution confirmed a profit."""

    @property
    def reason(self) -> str:
        """Why it is not verified."""


@dataclass(frozen=True, slots=True)
class Found:
    """An opportunity the search proposed: every candidate that would take it, best first."""

    ways: tuple[Way, ...]

    @property
    def best(self) -> Way:
        """Return the candidate that ranks first."""
        return self.ways[0]

    @property
    def kind(self) -> str:
        """Return what the best candidate does."""
        return self.best.kind

    @property
    def profit_wei(self) -> int:
        """Return the best candidate's profit after gas, as executed."""
        return self.best.simulated_profit_wei or 0

    def ways_that_landed(self, landed: Landed) -> Iterator[Way]:
        """Yield the candidates that do what somebody did, best first."""
        return (way for way in self.ways if does(way.plan, landed))


def landed_in(labels: BlockLabels) -> Iterator[Landed]:
    """Yield what was taken in a block, under the kind a search would call it, else under the label's own."""
    positions = {landed.tx.hash: landed.index for landed in labels.block.txs}
    for label in (one for one in labels.labels if one.kind not in NOT_TAKEN):
        first = min((positions[tx_hash] for tx_hash in label.tx_hashes if tx_hash in positions), default=0)
        venues = frozenset(label.venues)
        yield Landed(
            label.opportunity or label.kind,
            frozenset(label.victim_hashes),
            venues,
            label.tx_hashes,
            label.worth_wei(labels.block.wrapped_ether),
            frozenset(swap.tx_hash for swap in labels.swaps if swap.tx_index < first and swap.pool in venues),
        )


def opportunities_of(candidates: Iterable[Way]) -> list[Found]:
    """Return the opportunities among ranked candidates, best first.

    Ways that cross a common pool compete where their plans take the same prize, or a part of it.
    """
    found: list[list[Way]] = []
    for candidate in candidates:
        same = next((ways for ways in found if _competes(candidate, ways[0])), None)
        if same is None:
            found.append([candidate])
        else:
            same.append(candidate)
    return [Found(tuple(ways)) for ways in found]


def _competes(one: Way, other: Way) -> bool:
    mine, others = set(one.plan.prize), set(other.plan.prize)
    return bool(set(one.plan.venues) & set(other.plan.venues)) and (mine == others or bool(mine & others))
