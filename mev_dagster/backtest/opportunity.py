"""What both sides are reduced to: a kind, the pending transaction it hangs on, and the pools of the gap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mev_dagster.labels.arbitrage import Profit
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
    """An opportunity the search proposed: the best candidate, and the others that take the same gap."""

    kind: Kind
    victims: frozenset[bytes]
    pools: frozenset[bytes]
    best: Candidate
    others: tuple[Candidate, ...] = ()

    @property
    def worth_wei(self) -> int:
        """Return the best candidate's profit before gas."""
        return self.best.expected_profit_wei

    @property
    def profit_wei(self) -> int:
        """Return the best candidate's profit after gas, as executed."""
        return self.best.simulated_profit_wei or 0


def landed_in(labels: BlockLabels) -> Iterator[Landed]:
    """Yield what was taken in a block. An arbitrage behind a swap of the same block is a backrun."""
    weth = labels.block.wrapped_ether
    for s in labels.sandwiches:
        own = (s.frontrun.tx_hash, s.backrun.tx_hash)
        victims = frozenset(swap.tx_hash for swap in s.victims)
        yield Landed(Kind.SANDWICH, victims, frozenset({s.frontrun.pool}), own, _worth(s.profit, weth))
    for a in labels.arbitrages:
        kind = Kind.BACKRUN if a.moved_by else Kind.ARBITRAGE
        victims = frozenset({a.moved_by} if a.moved_by else ())
        pools = frozenset(swap.pool for swap in a.swaps)
        yield Landed(kind, victims, pools, (a.tx_hash,), _worth(a.profit, weth))


def _worth(profit: Profit, wrapped_ether: bytes | None) -> int | None:
    return profit[0][1] if [token for token, _ in profit] == [wrapped_ether] else None


def opportunities_of(candidates: Iterable[Candidate]) -> list[Found]:
    """Return the opportunities among ranked candidates, best first."""
    found: list[Found] = []
    for candidate in candidates:
        new = Found(
            candidate.kind,
            frozenset(candidate.pending_hashes[-1:]),
            frozenset(candidate.plan.venues),
            candidate,
        )
        same = next((position for position, known in enumerate(found) if _same_gap(known, new)), None)
        if same is None:
            found.append(new)
        else:
            known = found[same]
            found[same] = Found(
                known.kind, known.victims, known.pools | new.pools, known.best, (*known.others, candidate)
            )
    return found


def _same_gap(one: Found, other: Found) -> bool:
    if one.kind is not other.kind or one.victims != other.victims:
        return False
    return one.kind is not Kind.ARBITRAGE or bool(one.pools & other.pools)


def matches(found: Found, landed: Landed) -> bool:
    """Say whether the search had found what landed."""
    if found.kind is not landed.kind:
        return False
    if landed.kind is Kind.SANDWICH:
        return found.victims <= landed.victims and found.pools == landed.pools
    if landed.kind is Kind.BACKRUN:
        return found.victims == landed.victims and bool(found.pools & landed.pools)
    return len(found.pools & landed.pools) >= COMMON_POOLS_OF_A_GAP
