"""How much to put through a cycle of pools: closed form where there is one, and always exact to the integer.

A constant-product hop maps an input x to a·x / (b + c·x). Such maps compose into one of the same form, so
the profit of a whole cycle, a·x / (b + c·x) - x, is largest at x = (sqrt(a·b) - b) / c whatever its length.
The contracts round down at every hop; `optimal_cycle` therefore looks at the integers around that point.
A cycle with a pool of another kind is sized by `searched_cycle`, on the quotes of its pools alone.
"""

from collections.abc import Callable, Iterator, Sequence
from math import isqrt
from typing import NamedTuple, TypeAlias

from mev_dagster.dex.constant_product import Hop, amounts_along, least_amount_in

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


Quote: TypeAlias = Callable[[int], int]
"""What one pool of a cycle gives for an input."""


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


def searched_cycle(quotes: Sequence[Quote], limit: int) -> CycleSize | None:
    """Return the size of at most `limit` that a search over exact quotes finds best, None when none gains.

    What a pool gives rises ever more slowly with what it takes, so profit has one peak, and some power of two
    below it earns at least half as much. Rounding makes steps near the peak: the end looks around.
    """
    tried: dict[int, CycleSize] = {}

    def size_of(first_in: int) -> CycleSize:
        if first_in not in tried:
            amounts = [first_in]
            for quote in quotes:
                amounts.append(quote(amounts[-1]) if amounts[-1] > 0 else 0)
            tried[first_in] = CycleSize(tuple(amounts), amounts[-1] - first_in)
        return tried[first_in]

    powers = [1 << bits for bits in range(limit.bit_length())]
    if not powers or max(size_of(power).profit for power in powers) <= 0:
        return None
    peak = max(powers, key=lambda power: size_of(power).profit)
    low, high = peak // 2, min(2 * peak, limit)
    while high - low > 2:
        third = (high - low) // 3
        if size_of(low + third).profit < size_of(high - third).profit:
            low += third
        else:
            high -= third
    for nearby in range(max(1, low - REACH), min(limit, high + REACH) + 1):
        size_of(nearby)
    return max(tried.values(), key=lambda size: (size.profit, -size.amounts[0]))
