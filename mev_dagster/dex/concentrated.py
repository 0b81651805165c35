"""Concentrated liquidity as Uniswap V3 reckons it, and V4 without a hook: exact to the wei, over ticks.

Prices are square roots in units of 2**-96, fees parts of a million. Between two initialized ticks liquidity
is constant and a swap is one step; at a tick its net liquidity comes in or leaves, and the next step begins.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mev_dagster.errors import Unquotable

MIN_TICK, MAX_TICK = -887_272, 887_272
MIN_SQRT_PRICE = 4295128739
MAX_SQRT_PRICE = 1461446703485210103287273052203988822378723970342
PER_MILLION = 1_000_000

_Q96 = 1 << 96
_UINT256 = 1 << 256
_WORD_BITS = 8
_RATIOS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
"""1.0001 ** -(2**n / 2) in units of 2**-128, by the bit n of a tick."""


class Tick(NamedTuple):
    """An initialized tick and the liquidity that comes in when the price crosses it upwards."""

    at: int
    liquidity_net: int


@dataclass(frozen=True, slots=True)
class PriceCurve:
    """A pool at one moment. `ticks` are all initialized ones between the first and last known, ascending.

    Beyond `known_from` and `known_to` nothing is known, and no quote is made.
    """

    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_ppm: int
    tick_spacing: int
    ticks: Sequence[Tick] = ()
    known_from: int = MIN_TICK
    known_to: int = MAX_TICK


class Swapped(NamedTuple):
    """What a swap took and gave, and the pool's price and liquidity behind it."""

    amount_in: int
    amount_out: int
    sqrt_price_x96: int
    liquidity: int


def sqrt_price_at(tick: int) -> int:
    """Return the square root of the price at a tick, rounded up as the contract does."""
    size = abs(tick)
    if size > MAX_TICK:
        raise ValueError(f"tick {tick} is beyond {MAX_TICK}")
    ratio = _RATIOS[0] if size & 1 else 1 << 128
    for bit, factor in enumerate(_RATIOS[1:], start=1):
        if size >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = (_UINT256 - 1) // ratio
    return (ratio >> 32) + (1 if ratio % (1 << 32) else 0)


def swap_exact_in(
    curve: PriceCurve, amount_in: int, *, zero_for_one: bool, limit_x96: int | None = None
) -> Swapped:
    """Swap an exact input, or as much of it as goes until the price is `limit_x96`.

    Raises `Unquotable` where it needs ticks that are not known.
    """
    return _swap(curve, amount_in, zero_for_one, limit_x96, exact_in=True)


def swap_exact_out(
    curve: PriceCurve, amount_out: int, *, zero_for_one: bool, limit_x96: int | None = None
) -> Swapped:
    """Swap for an exact output; raises `Unquotable` likewise, and where the pool has not so much."""
    return _swap(curve, amount_out, zero_for_one, limit_x96, exact_in=False)


def _swap(
    curve: PriceCurve, amount: int, zero_for_one: bool, limit_x96: int | None, *, exact_in: bool
) -> Swapped:
    if amount <= 0:
        raise Unquotable(f"nothing is swapped for {amount}")
    price, tick, liquidity, left = curve.sqrt_price_x96, curve.tick, curve.liquidity, amount
    limit = limit_x96 or (MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1)
    sold = bought = 0
    while left and price != limit:
        ahead, crossed = _next_tick(curve, tick, zero_for_one)
        boundary = sqrt_price_at(ahead)
        target = max(boundary, limit) if zero_for_one else min(boundary, limit)
        step = _step(price, target, liquidity, left, curve.fee_ppm, zero_for_one, exact_in)
        price, sold, bought = step.sqrt_price_x96, sold + step.amount_in, bought + step.amount_out
        left -= step.amount_in if exact_in else step.amount_out
        if price == boundary:
            if not curve.known_from < ahead < curve.known_to and not crossed:
                raise Unquotable("the swap leaves what is known of the pool's ticks")
            liquidity += -crossed if zero_for_one else crossed
            tick = ahead - 1 if zero_for_one else ahead
    return Swapped(sold, bought, price, liquidity)


def _next_tick(curve: PriceCurve, tick: int, zero_for_one: bool) -> tuple[int, int]:
    """Return where the next step ends at the latest, and the liquidity of the tick there.

    The contract looks for an initialized tick in one word of its bitmap at a time, and ends a step where the
    word ends: amounts are rounded there, whether a tick is initialized or not.
    """
    place = tick // curve.tick_spacing + (0 if zero_for_one else 1)
    first = (place >> _WORD_BITS) << _WORD_BITS
    end = max(MIN_TICK, min(MAX_TICK, (first if zero_for_one else first + 255) * curve.tick_spacing))
    if zero_for_one:
        at = bisect_right(curve.ticks, tick, key=_at) - 1
        found = curve.ticks[at] if at >= 0 and curve.ticks[at].at >= end else Tick(end, 0)
    else:
        at = bisect_right(curve.ticks, tick, key=_at)
        known = at < len(curve.ticks) and curve.ticks[at].at <= end
        found = curve.ticks[at] if known else Tick(end, 0)
    return found._replace(at=max(curve.known_from, min(curve.known_to, found.at)))


def _at(tick: Tick) -> int:
    return tick.at


class _Step(NamedTuple):
    sqrt_price_x96: int
    amount_in: int
    amount_out: int


def _step(
    price: int, target: int, liquidity: int, left: int, fee_ppm: int, zero_for_one: bool, exact_in: bool
) -> _Step:
    """Return one step towards a target: as far as the amount that is left goes. The fee is in the input."""
    into = _amount0 if zero_for_one else _amount1
    out = _amount1 if zero_for_one else _amount0
    taken = into(price, target, liquidity, up=True)
    given = out(price, target, liquidity, up=False)
    if exact_in:
        less_fee = left * (PER_MILLION - fee_ppm) // PER_MILLION
        after = target if less_fee >= taken else _price_after_input(price, liquidity, less_fee, zero_for_one)
    else:
        after = target if left >= given else _price_after_output(price, liquidity, left, zero_for_one)
    if after != target:
        taken = into(price, after, liquidity, up=True)
        given = out(price, after, liquidity, up=False)
    if not exact_in:
        given = min(given, left)
    if exact_in and after != target:
        return _Step(after, left, given)
    return _Step(after, taken + _up(taken * fee_ppm, PER_MILLION - fee_ppm), given)


def _amount0(one: int, two: int, liquidity: int, *, up: bool) -> int:
    low, high = sorted((one, two))
    product = (liquidity << 96) * (high - low)
    return _up(_up(product, high), low) if up else product // high // low


def _amount1(one: int, two: int, liquidity: int, *, up: bool) -> int:
    product = liquidity * abs(two - one)
    return _up(product, _Q96) if up else product // _Q96


def _price_after_input(price: int, liquidity: int, amount: int, zero_for_one: bool) -> int:
    if not zero_for_one:
        return price + (amount << 96) // liquidity
    if not amount:
        return price
    whole = liquidity << 96
    if amount * price < _UINT256 and whole + amount * price < _UINT256:
        return _up(whole * price, whole + amount * price)
    return _up(whole, whole // price + amount)


def _price_after_output(price: int, liquidity: int, amount: int, zero_for_one: bool) -> int:
    if zero_for_one:
        after = price - _up(amount << 96, liquidity)
        if after <= 0:
            raise Unquotable("the pool has not so much")
        return after
    whole = liquidity << 96
    if amount * price >= min(whole, _UINT256):
        raise Unquotable("the pool has not so much")
    return _up(whole * price, whole - amount * price)


def _up(value: int, by: int) -> int:
    return -(-value // by)
