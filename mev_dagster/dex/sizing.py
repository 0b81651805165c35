"""How much to put through a cycle of pools: closed form where there is one, and always exact to the integer.

A constant-product hop maps an input x to a·x / (b + c·x). Such maps compose into one of the same form, so
the profit of a whole cycle, a·x / (b + c·x) - x, is largest at x = (sqrt(a·b) - b) / c whatever its length.
The contracts round down at every hop; `optimal_cycle` therefore looks at the integers around that point.
A cycle with a pool of another kind is sized by `searched_cycle`, on the quotes of its pools alone.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isqrt
from typing import NamedTuple, TypeAlias

from mev_dagster.dex.constant_product import Fee, Hop, amounts_along

REACH = 8
"""The answer is at least as good as every input this close to it, and every output step this close."""

SLOPE_BITS = 20
"""Slopes are taken over 2^-20 of the range, where they stand above the rounding."""

ROUNDS = 64
"""Steps uphill before giving up: real pairs need one to six, amounts that round to nothing any number."""


SIZES_KEPT = 1 << 14
"""Cycles whose size is remembered: pending transactions often leave pools alike."""


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


def most_profit(through: Mobius) -> int:
    """Return what no whole-number size pays more than: (sqrt(a) - sqrt(b))² / c without its fraction."""
    return (through.a + through.b - isqrt(4 * through.a * through.b)) // through.c


def optimal_cycle(hops: Sequence[Hop], limit: int) -> CycleSize | None:
    """Return the best whole-number size of at most `limit`, or None when no size gains."""
    return _optimal_cycle(tuple(hops), limit)


@lru_cache(maxsize=SIZES_KEPT)
def _optimal_cycle(hops: tuple[Hop, ...], limit: int) -> CycleSize | None:
    through = compose(hops)
    best = min(closed_form_input(through), limit)
    if best <= 0:
        return None
    crossed = [_Crossed(*hop) for hop in hops]
    profit = _profit(best, crossed)
    tried, most = {best}, most_profit(through)
    for _ in range(ROUNDS):
        if profit == most:
            break
        sizes = _sizes_near(best, crossed, limit) - tried
        tried |= sizes
        better = max(((_profit(size, crossed), -size) for size in sizes), default=(profit, 0))
        if better[0] <= profit:
            break
        profit, best = better[0], -better[1]
    return CycleSize(amounts_along(best, hops), profit) if profit > 0 else None


class _Crossed:
    """A hop with its products ready: thousands of sizes are tried on one."""

    __slots__ = ("depth", "gain", "numerator", "reserve_out")

    def __init__(self, reserve_in: int, reserve_out: int, fee: Fee) -> None:
        self.gain, self.depth = fee.numerator * reserve_out, fee.denominator * reserve_in
        self.numerator, self.reserve_out = fee.numerator, reserve_out


def _profit(size: int, crossed: Sequence[_Crossed]) -> int:
    amount = size
    for hop in crossed:
        amount = amount * hop.gain // (hop.depth + hop.numerator * amount)
    return amount - size


def _sizes_near(first_in: int, crossed: Sequence[_Crossed], limit: int) -> set[int]:
    """Return the inputs within reach, and the least inputs of the neighbouring steps of every hop's output.

    Where a token has few decimals its amounts move in steps that are worth millions of wei of input: only
    the least input of a step can be best, and the next step is out of any fixed reach.
    """
    sizes = set(range(max(1, first_in - REACH), min(limit, first_in + REACH) + 1))
    amount = first_in
    for position, hop in enumerate(crossed):
        amount = amount * hop.gain // (hop.depth + hop.numerator * amount)
        back = crossed[position::-1]
        for wanted in range(max(1, amount - REACH), amount + REACH + 1):
            size = _least_first_input(wanted, back)
            if 1 <= size <= limit:
                sizes.add(size)
    return sizes


def _least_first_input(wanted: int, back: Sequence[_Crossed]) -> int:
    """Return the least input that buys `wanted` along hops, the last one first; 0 where none does."""
    for hop in back:
        if wanted >= hop.reserve_out:
            return 0
        wanted = -(-hop.depth * wanted // ((hop.reserve_out - wanted) * hop.numerator))
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


def peak_of(profit: Callable[[int], int], largest: int) -> int:
    """Return a size up to the largest next to which a profit with a single peak stops rising."""
    step = max(1, largest >> SLOPE_BITS)
    if largest <= step or profit(largest) >= profit(largest - step):
        return largest
    low, high = 1, largest - step
    while low < high:
        middle = (low + high) // 2
        if profit(middle + step) > profit(middle):
            low = middle + 1
        else:
            high = middle
    return low
