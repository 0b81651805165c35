"""How much to put through a cycle of pairs: closed form first, then exact to the integer.

A constant-product hop maps an input x to a·x / (b + c·x). Such maps compose into one of the same form, so
the profit of a whole cycle, a·x / (b + c·x) - x, is largest at x = (sqrt(a·b) - b) / c whatever its length.
The contracts round down at every hop; `optimal_cycle` therefore looks at the integers around that point.
"""

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import NamedTuple

from mev_dagster.dex.venues.uniswap_v2 import Hop, amounts_along, least_amount_in

REACH = 8
"""The answer is at least as good as every input this close to it, and every output step this close."""

ROUNDS = 64
"""Steps uphill before giving up: real pairs need one to six, amounts that round to nothing any number."""


class Mobius(NamedTuple):
    """The map x -> a·x / (b + c·x)."""

    a: int
    b: int
    c: int

    @property
    def gains_at_the_margin(self) -> bool:
        """Say whether the first unit put in comes out as more than one."""
        return self.a > self.b


class CycleSize(NamedTuple):
    """The amounts along a cycle, the input first, and what is left over at its end."""

    amounts: tuple[int, ...]
    profit: int


def compose(hops: Sequence[Hop]) -> Mobius:
    """Return the map of crossing `hops` one after the other, without their rounding."""
    a, b, c = 1, 1, 0
    for hop in hops:
        gain = hop.fee.numerator * hop.reserve_out
        depth = hop.fee.denominator * hop.reserve_in
        a, b, c = gain * a, depth * b, depth * c + hop.fee.numerator * a
    return Mobius(a, b, c)


def closed_form_input(through: Mobius) -> int:
    """Return the input of largest profit, rounding aside; 0 when no input gains."""
    if not through.gains_at_the_margin:
        return 0
    return (isqrt(through.a * through.b) - through.b) // through.c


def optimal_cycle(hops: Sequence[Hop], limit: int) -> CycleSize | None:
    """Return the best whole-number size of at most `limit`, or None when no size gains."""
    start = min(closed_form_input(compose(hops)), limit)
    if start <= 0:
        return None
    best = _quote(start, hops)
    for _ in range(ROUNDS):
        nearby = (_quote(size, hops) for size in _sizes_near(best.amounts, hops, limit))
        better = max(nearby, key=lambda quote: (quote.profit, -quote.amounts[0]))
        if better.profit <= best.profit:
            break
        best = better
    return best if best.profit > 0 else None


def _quote(size: int, hops: Sequence[Hop]) -> CycleSize:
    amounts = amounts_along(size, hops)
    return CycleSize(amounts, amounts[-1] - size)


def _sizes_near(amounts: tuple[int, ...], hops: Sequence[Hop], limit: int) -> Iterator[int]:
    """Yield the inputs within reach, and the least inputs of the neighbouring steps of every hop's output.

    Where a token has few decimals its amounts move in steps that are worth millions of wei of input: only
    the least input of a step can be best, and the next step is out of any fixed reach.
    """
    yield from range(max(1, amounts[0] - REACH), min(limit, amounts[0] + REACH) + 1)
    for position in range(1, len(amounts)):
        for wanted in range(max(1, amounts[position] - REACH), amounts[position] + REACH + 1):
            size = _least_first_input(wanted, hops[:position])
            if size is not None and 1 <= size <= limit:
                yield size


def _least_first_input(wanted: int, hops: Sequence[Hop]) -> int | None:
    for hop in reversed(hops):
        if wanted >= hop.reserve_out:
            return None
        wanted = least_amount_in(wanted, hop)
    return wanted
