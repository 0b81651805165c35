"""What cycles can pay at most and must pay at least, for all of them at once, in floating point.

Nothing is decided here: what cannot gain is not sized, everything else is sized in exact integers. A cycle of
constant-product hops maps x to a·x / (b + c·x) and pays (b / c)·(sqrt(a / b) - 1)² at its best. The contracts
round down at every hop, which takes less than one unit of each hop's output, at most at its first price.
Arrays hold 53 bits of a number: `_ERROR` is a hundred times what a dozen operations lose.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mev_dagster.dex.constant_product import Hop
from mev_dagster.dex.cycle import Cycle, Leg
from mev_dagster.dex.venue import Pool
from mev_dagster.errors import Unquotable

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

_ERROR = 1e-12
_LONGEST = 3


class Bounds(NamedTuple):
    """What the best size pays lies between these; without a closed form nothing is known."""

    lower: Floats
    upper: Floats


class _Hops(NamedTuple):
    """Hops as arrays: gain = fee numerator · reserve out, depth = fee denominator · reserve in."""

    gain: Floats
    depth: Floats
    numerator: Floats


class CycleScreen:
    """The cycles of a graph as arrays, on the pools' state at the top of the block."""

    def __init__(self, cycles: Sequence[Cycle], pools: Mapping[bytes, Pool], limit: int) -> None:
        legs = sorted({leg for cycle in cycles for leg in cycle})
        number = {leg: position for position, leg in enumerate(legs)}
        self._legs_of_pool: dict[bytes, list[tuple[int, Leg]]] = {}
        for position, leg in enumerate(legs):
            self._legs_of_pool.setdefault(leg.pool, []).append((position, leg))
        self._nothing = len(legs)  # the leg that a shorter cycle ends with changes nothing
        self._legs = np.full((len(cycles), _LONGEST), self._nothing, dtype=np.int64)
        for row, cycle in enumerate(cycles):
            for column, leg in enumerate(cycle):
                self._legs[row, column] = number[leg]
        self._hops = _as_arrays([*(_hop(pools[leg.pool], leg) for leg in legs), _NEUTRAL])
        self._limit = float(limit)

    def at_the_top(self) -> Bounds:
        """Return the bounds of every cycle."""
        return _bounds(_Hops(*(values[self._legs] for values in self._hops)), self._limit)

    def behind(self, cycles: Indices, places: Indices, moved: Sequence[Mapping[bytes, Pool]]) -> Bounds:
        """Return the bounds of cycles, each in the place whose pools `moved` holds."""
        stride = self._nothing + 1
        found = [
            (place * stride + position, _hop(pool, leg))
            for place, pools in enumerate(moved)
            for address, pool in pools.items()
            for position, leg in self._legs_of_pool.get(address, ())
        ]
        legs = self._legs[cycles]
        if not found:
            return _bounds(_Hops(*(values[legs] for values in self._hops)), self._limit)
        found.sort(key=lambda entry: entry[0])
        keys = np.array([key for key, _ in found], dtype=np.int64)
        changed = _as_arrays([hop for _, hop in found])
        wanted = places[:, None] * stride + legs
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        is_changed = keys[at] == wanted
        hops = (
            np.where(is_changed, new[at], old[legs]) for new, old in zip(changed, self._hops, strict=True)
        )
        return _bounds(_Hops(*hops), self._limit)


_NEUTRAL = (1.0, 1.0, 0.0)
_UNKNOWN = (np.nan, 1.0, 1.0)


def _hop(pool: Pool, leg: Leg) -> tuple[float, float, float]:
    try:
        hop: Hop | None = pool.constant_product(leg.token_in, leg.token_out)
    except Unquotable:
        hop = None
    if hop is None:
        return _UNKNOWN
    reserve_in, reserve_out, (numerator, denominator) = hop
    return float(numerator * reserve_out), float(denominator * reserve_in), float(numerator)


def _as_arrays(hops: Sequence[tuple[float, float, float]]) -> _Hops:
    return _Hops(*np.array(hops, dtype=np.float64).reshape(-1, 3).T)


def _bounds(hops: _Hops, limit: float) -> Bounds:
    with np.errstate(all="ignore"):  # a pool that was emptied divides by zero: then nothing is known
        return _bounds_of(hops, limit)


def _bounds_of(hops: _Hops, limit: float) -> Bounds:
    a = np.ones(len(hops.gain))
    b, c, loss = a.copy(), np.zeros_like(a), a.copy()
    for gain, depth, numerator in zip(*(values.T for values in hops), strict=True):
        a, b, c = gain * a, depth * b, depth * c + numerator * a
        loss = loss * gain / depth + 1
    size = np.clip((np.sqrt(a) * np.sqrt(b) - b) / c, 0, limit)
    out = a * size / (b + c * size)
    error = _ERROR * (out + size) + b / c * _ERROR**2
    upper = np.where(a < b * (1 - _ERROR), 0.0, out - size + error + 1)
    lower = out - size - error - loss
    unknown = np.isnan(upper) | np.isnan(lower) | np.isnan(a)
    return Bounds(np.where(unknown, -np.inf, lower), np.where(unknown, np.inf, upper))
