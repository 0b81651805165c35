"""How much can be bought in front of a swap that names its worst price, and what that earns.

The victim's limit makes the largest front-run the root of a quadratic (isqrt finds it). The pair rounds the
front-runner's output down, so what is left in the pair is a staircase of whole units; the exact answer lies
on the step of that root or on the one below.
"""

from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple, TypeAlias

from mev_dagster.dex.constant_product import Hop, amount_in, amount_out, least_amount_in
from mev_dagster.dex.sizing import REACH, peak_of


def _quadratic_root(a: int, b: int, c: int) -> int:
    """Return the floor of the larger root of a·x² + b·x + c, or -1 when c is positive (a, b are not)."""
    return -1 if c > 0 else (isqrt(b * b - 4 * a * c) - b) // (2 * a)


@dataclass(frozen=True, slots=True)
class ExactInput:
    """Sells exactly `sold` and reverts on less than `least_bought`."""

    sold: int
    least_bought: int

    def root(self, hop: Hop) -> int:
        """Solve sold·f·d·r·R >= least·(d·r + f·x)·(d·(r + x) + f·sold) for x."""
        f, d = hop.fee
        depth, traded = d * hop.reserve_in, f * self.sold
        return _quadratic_root(
            self.least_bought * d * f,
            self.least_bought * (f * (depth + traded) + d * depth),
            self.least_bought * depth * (depth + traded) - traded * depth * hop.reserve_out,
        )

    def largest_with(self, left: int, hop: Hop) -> int:
        """Solve sold·f·left >= least·(d·(r + x) + f·sold) for x."""
        f, d = hop.fee
        traded = f * self.sold
        return (traded * left // self.least_bought - traded) // d - hop.reserve_in

    def trade(self, hop: Hop) -> tuple[int, int] | None:
        """Sell everything, if that still buys enough."""
        bought = amount_out(self.sold, hop)
        return (self.sold, bought) if bought >= self.least_bought else None


@dataclass(frozen=True, slots=True)
class ExactOutput:
    """Buys exactly `bought` and reverts if that costs more than `most_sold`."""

    bought: int
    most_sold: int

    def root(self, hop: Hop) -> int:
        """Solve (r + x)·bought·d·(d·r + f·x) <= most·f·(d·r·R - bought·(d·r + f·x)) for x."""
        f, d = hop.fee
        depth = d * hop.reserve_in
        return _quadratic_root(
            self.bought * d * f,
            self.bought * (d * depth + f * depth + self.most_sold * f * f),
            self.bought * depth * depth - self.most_sold * f * depth * (hop.reserve_out - self.bought),
        )

    def largest_with(self, left: int, hop: Hop) -> int:
        """Solve getAmountIn(bought) <= most for x, where getAmountIn rounds down and adds one."""
        f, d = hop.fee
        return (self.most_sold * (left - self.bought) * f - 1) // (self.bought * d) - hop.reserve_in

    def trade(self, hop: Hop) -> tuple[int, int] | None:
        """Buy the wanted amount, if the pair has it and it costs no more than allowed."""
        if self.bought >= hop.reserve_out:
            return None
        sold = amount_in(self.bought, hop)
        return (sold, self.bought) if sold <= self.most_sold else None


Victim: TypeAlias = ExactInput | ExactOutput
"""A pending swap of one hop and the worst terms it accepts.

`root` is the largest front-run, rounding aside, negative when the victim fails untouched; `largest_with` the
largest one if it left exactly that much of the output token; `trade` what the victim pays and gets, None when
it would revert.
"""


def largest_frontrun(victim: Victim, hop: Hop, limit: int) -> int:
    """Return the largest input of at most `limit` after which the victim still trades, 0 without one."""
    if isinstance(victim, ExactInput) and victim.least_bought == 0:
        return limit
    root = victim.root(hop)
    if root < 0:
        return 0
    best = 0
    for size in (root, root + 1):
        left = hop.reserve_out - amount_out(size, hop)
        for step in (left - 1, left, left + 1):
            if 1 <= step <= hop.reserve_out:
                most_that_leaves_step = least_input_to_take(hop.reserve_out - step + 1, hop) - 1
                best = max(best, min(victim.largest_with(step, hop), most_that_leaves_step))
    return min(best, limit)


def least_input_to_take(wanted: int, hop: Hop) -> int:
    """Return the least input whose output reaches `wanted`; no input takes the whole reserve."""
    return least_amount_in(wanted, hop) if wanted < hop.reserve_out else 1 << 256


class SandwichSize(NamedTuple):
    """The three trades of a sandwich and what the attacker keeps, before gas."""

    front_in: int
    front_out: int
    victim_in: int
    victim_out: int
    back_out: int

    @property
    def profit(self) -> int:
        """Return what the back-run returned above what the front-run cost."""
        return self.back_out - self.front_in


def moved(hop: Hop, sold: int, bought: int) -> Hop:
    """Return the hop after someone sold into it."""
    return Hop(hop.reserve_in + sold, hop.reserve_out - bought, hop.fee)


def sandwich_of(front_in: int, victim: Victim, hop: Hop) -> SandwichSize | None:
    """Return the trades that follow from one front-run size, or None when the victim would revert."""
    front_out = amount_out(front_in, hop)
    behind_front = moved(hop, front_in, front_out)
    traded = victim.trade(behind_front)
    if traded is None:
        return None
    behind_victim = moved(behind_front, *traded)
    way_back = Hop(behind_victim.reserve_out, behind_victim.reserve_in, hop.fee)
    return SandwichSize(front_in, front_out, *traded, amount_out(front_out, way_back))


def optimal_sandwich(victim: Victim, hop: Hop, limit: int) -> SandwichSize | None:
    """Return the most profitable sandwich of at most `limit`, or None when none gains.

    Profit rises with size to a single peak and falls after it: fees grow with the size, the victim's loss is
    bounded. A victim with a tight limit stops the front-run before the peak, and the closed form is the
    answer; behind a loose limit the peak is found by halving on the sign of the slope.
    """
    largest = largest_frontrun(victim, hop, limit)
    if largest <= 0:
        return None

    def profit(size: int) -> int:
        quote = sandwich_of(size, victim, hop)
        return quote.profit if quote else 0

    peak = peak_of(profit, largest)
    sizes = [peak]
    front_out = amount_out(peak, hop)
    for wanted in range(max(1, front_out - REACH), min(front_out + REACH + 1, hop.reserve_out)):
        sizes.append(least_amount_in(wanted, hop))
    quotes = [sandwich_of(size, victim, hop) for size in sizes if size <= largest]
    best = max((quote for quote in quotes if quote), key=lambda quote: (quote.profit, -quote.front_in))
    return best if best.profit > 0 else None
