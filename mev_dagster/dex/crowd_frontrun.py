"""What is bought in front of several sales into one pool, and sold behind them: exact, whatever their number.

All that is asked of the sales is how much each sells; how far they let themselves be pushed is a limit on the
purchase, found elsewhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mev_dagster.dex.constant_product import Hop, amount_out, least_amount_in
from mev_dagster.dex.frontrun import moved
from mev_dagster.dex.sizing import REACH, peak_of


class CrowdSandwich(NamedTuple):
    """A purchase, what each of the sales behind it gets, and the sale of what was bought."""

    front_in: int
    front_out: int
    bought: tuple[int, ...]
    back_out: int

    @property
    def profit(self) -> int:
        """Return what comes back above what was put in."""
        return self.back_out - self.front_in


def crowd_sandwich(front_in: int, sold: Sequence[int], hop: Hop) -> CrowdSandwich:
    """Return what follows from a purchase in front of sales, in their order."""
    front_out = amount_out(front_in, hop)
    hop, bought = moved(hop, front_in, front_out), []
    for sale in sold:
        bought.append(amount_out(sale, hop))
        hop = moved(hop, sale, bought[-1])
    back = amount_out(front_out, Hop(hop.reserve_out, hop.reserve_in, hop.fee))
    return CrowdSandwich(front_in, front_out, tuple(bought), back)


def largest_that_leaves(least: int, position: int, sold: Sequence[int], hop: Hop, low: int, high: int) -> int:
    """Return the largest purchase from `low` on below `high` behind which one of the sales gets `least`."""
    while high - low > 1:
        middle = (low + high) // 2
        if crowd_sandwich(middle, sold, hop).bought[position] >= least:
            low = middle
        else:
            high = middle
    return low


def optimal_crowd_sandwich(sold: Sequence[int], hop: Hop, limit: int) -> CrowdSandwich | None:
    """Return the best purchase of at most `limit`, or None when none gains.

    Profit rises to a single peak: fees grow with the purchase, what the sales lose is bounded.
    """
    if limit <= 0:
        return None
    peak = peak_of(lambda size: crowd_sandwich(size, sold, hop).profit, limit)
    front_out = amount_out(peak, hop)
    steps = range(max(1, front_out - REACH), min(front_out + REACH + 1, hop.reserve_out))
    sizes = [peak, *(least_amount_in(wanted, hop) for wanted in steps)]
    tried = [crowd_sandwich(size, sold, hop) for size in sizes if 0 < size <= limit]
    best = max(tried, key=lambda one: (one.profit, -one.front_in))
    return best if best.profit > 0 else None
