"""Counts, precision, recall and profit of the search over blocks."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mev_dagster.backtest.missed import INFEASIBLE, Missed, of_candidates
from mev_dagster.backtest.opportunity import Found, Way, opportunities_of
from mev_dagster.labels.score import Agreement
from mev_dagster.search.compatible import best_set, needs_of, total_profit_wei
from mev_dagster.search.landed import Landed
from mev_dagster.search.strategy import kinds


@dataclass(frozen=True, slots=True)
class Match:
    """A landed opportunity with what the search had of it: the opportunity, and its way that landed.

    Where nothing of its worth was verified both are None, `missed` is the reason and `detail` says more.
    """

    landed: Landed
    found: Found | None
    way: Way | None
    missed: str = ""
    detail: str = ""

    @property
    def feasible(self) -> bool:
        """Say whether a search like ours could have had it."""
        return self.missed not in INFEASIBLE


@dataclass(frozen=True, slots=True)
class BlockScore:
    """One block: every landed opportunity, and what was found that nobody took.

    `candidates` are the search's, best first. `pnl_wei` is what a block holding the best of them that do not
    exclude each other would have earned, `captured_wei` how much of what landed can be had together.
    """

    number: int
    matches: tuple[Match, ...]
    untaken: tuple[Found, ...]
    pnl_wei: int
    captured_wei: int = 0
    candidates: tuple[Way, ...] = ()

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
        landed = {match.landed.kind for match in self.matches}
        scores = {
            kind: sum((block.of(kind) for block in self.blocks), start=Agreement())
            for kind in sorted({*kinds(), *landed})
        }
        object.__setattr__(self, "per_kind", scores)

    @property
    def matches(self) -> tuple[Match, ...]:
        """Return every landed opportunity of every block."""
        return tuple(match for block in self.blocks for match in block.matches)

    @property
    def missed_by(self) -> Mapping[str, int]:
        """Return how many landed opportunities were missed, by reason."""
        return dict(sorted(Counter(match.missed for match in self.matches if match.missed).items()))

    @property
    def feasible(self) -> Agreement:
        """Return the counts over what a search like ours could have had; nothing there is a false find."""
        feasible = [match for match in self.matches if match.feasible]
        found = sum(match.found is not None for match in feasible)
        return Agreement(found, 0, len(feasible) - found)

    @property
    def pnl_wei(self) -> int:
        """Return the profit of all blocks."""
        return sum(block.pnl_wei for block in self.blocks)

    @property
    def landed_wei(self) -> int:
        """Return what the landed opportunities earned, before gas and payments."""
        return sum(match.landed.worth_wei or 0 for match in self.matches)

    @property
    def unpriced(self) -> int:
        """Return how many landed opportunities earned no ether: no share of worth speaks of them."""
        return sum(match.landed.worth_wei is None for match in self.matches)

    @property
    def captured_wei(self) -> int:
        """Return how much of that the search had found and could have taken, never more than it was worth."""
        return sum(block.captured_wei for block in self.blocks)

    @property
    def captured_share(self) -> float | None:
        """Return `captured_wei` over `landed_wei`; None when nothing of worth landed."""
        return self.captured_wei / self.landed_wei if self.landed_wei > 0 else None


Why = Callable[[Landed, Way | None], Missed]


def score_block(
    number: int, candidates: Sequence[Way], landed: Iterable[Landed], why: Why | None = None
) -> BlockScore:
    """Compare one block's candidates with what landed in it; `why` tells more of what was missed."""
    found = opportunities_of(one for one in candidates if one.verified)
    met: list[Match] = []
    used: set[bytes] = set()
    for one in landed:
        match = _match(one, found, used, why or partial(of_candidates, candidates=candidates))
        if match.way is not None:
            used.add(match.way.opportunity_id)
        met.append(match)
    taken = [match.found for match in met if match.found is not None]
    untaken = tuple(one for one in found if one not in taken)
    return BlockScore(
        number=number,
        matches=tuple(met),
        untaken=untaken,
        pnl_wei=total_profit_wei(candidates),
        captured_wei=_captured_wei(met),
        candidates=tuple(candidates),
    )


def _match(landed: Landed, found: Sequence[Found], used: Collection[bytes], why: Why) -> Match:
    """Return the first find that does the same for no less; one find answers for one landed opportunity."""
    less = None
    for one in found:
        for way in one.ways_that_landed(landed):
            if way.opportunity_id in used:
                continue
            if landed.worth_wei is None or way.expected_profit_wei >= landed.worth_wei:
                return Match(landed, one, way)
            less = less or way
    missed = why(landed, less)
    return Match(landed, None, None, missed.reason, missed.detail)


def _captured_wei(matches: Sequence[Match]) -> int:
    offers = [
        (min(match.way.expected_profit_wei, match.landed.worth_wei), needs_of(match.way.plan))
        for match in matches
        if match.way is not None and match.landed.worth_wei is not None
    ]
    return sum(offers[position][0] for position in best_set(offers))
