"""Counts, precision, recall and profit of the search over blocks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mev_dagster.backtest.opportunity import Found, Way, opportunities_of
from mev_dagster.labels.score import Agreement
from mev_dagster.search.landed import Landed
from mev_dagster.search.strategy import kinds

NO_CANDIDATE = "no_candidate"
"""Nothing was proposed, or its profit could not have paid for gas."""


@dataclass(frozen=True, slots=True)
class Match:
    """A landed opportunity with what the search had of it: the opportunity, and its way that landed.

    Where nothing was verified both are None and `missed` says why: the reason of the candidate that could
    not be verified, or `no_candidate`.
    """

    landed: Landed
    found: Found | None
    way: Way | None
    missed: str = ""


@dataclass(frozen=True, slots=True)
class BlockScore:
    """One block: every landed opportunity, and what was found that nobody took.

    `pnl_wei` is what a block holding all found opportunities that do not compete would have earned.
    """

    number: int
    matches: tuple[Match, ...]
    untaken: tuple[Found, ...]
    pnl_wei: int

    @property
    def found(self) -> tuple[Found, ...]:
        """Return every opportunity the search verified, taken or not."""
        taken = {match.found.best.opportunity_id: match.found for match in self.matches if match.found}
        return (*taken.values(), *self.untaken)

    def of(self, kind: str) -> Agreement:
        """Return the counts of one kind."""
        landed = [match for match in self.matches if match.landed.kind == kind]
        found = sum(match.found is not None for match in landed)
        return Agreement(found, sum(one.kind == kind for one in self.untaken), len(landed) - found)


@dataclass(frozen=True, slots=True)
class Backtest:
    """All blocks. `synthetic` says that arrival times were made up by a rule."""

    blocks: tuple[BlockScore, ...]
    synthetic: bool
    per_kind: Mapping[str, Agreement] = field(init=False)

    def __post_init__(self) -> None:
        scores = {kind: sum((block.of(kind) for block in self.blocks), start=Agreement()) for kind in kinds()}
        object.__setattr__(self, "per_kind", scores)

    @property
    def pnl_wei(self) -> int:
        """Return the profit of all blocks."""
        return sum(block.pnl_wei for block in self.blocks)

    @property
    def landed_wei(self) -> int:
        """Return what the landed opportunities earned, before gas and payments."""
        return sum(match.landed.worth_wei or 0 for block in self.blocks for match in block.matches)

    @property
    def captured_wei(self) -> int:
        """Return how much of that the search had found, never more than it was worth to who took it."""
        return sum(
            min(match.way.expected_profit_wei, match.landed.worth_wei)
            for block in self.blocks
            for match in block.matches
            if match.way is not None and match.landed.worth_wei is not None
        )

    @property
    def captured_share(self) -> float | None:
        """Return `captured_wei` over `landed_wei`; None when nothing of worth landed."""
        return self.captured_wei / self.landed_wei if self.landed_wei > 0 else None


def score_block(number: int, candidates: Sequence[Way], landed: Iterable[Landed]) -> BlockScore:
    """Compare one block's candidates with what landed in it."""
    found = opportunities_of(one for one in candidates if one.verified)
    doubtful = opportunities_of(one for one in candidates if not one.verified)
    met = tuple(_match(one, found, doubtful) for one in landed)
    taken = [match.found for match in met if match.found is not None]
    untaken = tuple(one for one in found if one not in taken)
    return BlockScore(number, met, untaken, pnl_wei(found))


def _match(landed: Landed, found: Sequence[Found], doubtful: Sequence[Found]) -> Match:
    for one in found:
        way = one.way_that_landed(landed)
        if way is not None:
            return Match(landed, one, way)
    doubted = (way.reason for one in doubtful if (way := one.way_that_landed(landed)))
    return Match(landed, None, None, next(doubted, NO_CANDIDATE))


def pnl_wei(found: Iterable[Found]) -> int:
    """Return the profit of the best opportunities that share neither victim nor pool with a better one."""
    used: set[bytes] = set()
    total = 0
    for one in sorted(found, key=lambda one: (-one.profit_wei, one.best.opportunity_id)):
        needs = {*one.best.pending_hashes, *one.best.plan.venues}
        if not needs & used:
            used |= needs
            total += one.profit_wei
    return total
