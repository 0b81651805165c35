"""Pools as a graph of tokens, and the short cycles in it that start and end in one token."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations

from mev_dagster.dex.cycle import Cycle, Leg
from mev_dagster.dex.screen import CycleScreen
from mev_dagster.dex.venue import Pool


class PoolGraph:
    """The pools by the tokens they trade. Every walk visits pools in address order, so runs agree."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self.pools: Mapping[bytes, Pool] = {
            pool.address: pool for pool in sorted(pools, key=lambda pool: pool.address)
        }
        self._from: dict[bytes, list[Leg]] = defaultdict(list)
        self._between: dict[tuple[bytes, bytes], list[Leg]] = defaultdict(list)
        for pool in self.pools.values():
            for token_in, token_out in permutations(pool.tokens, 2):
                leg = Leg(pool.address, token_in, token_out)
                self._from[token_in].append(leg)
                self._between[token_in, token_out].append(leg)
        self._cycles: dict[bytes, CycleBook] = {}
        self._screens: dict[tuple[bytes, int], CycleScreen] = {}

    def cycles(self, base: bytes) -> "CycleBook":
        """Return the directed cycles of two and three pools from `base` back to `base`."""
        if base not in self._cycles:
            self._cycles[base] = CycleBook(self._walk(base))
        return self._cycles[base]

    def screen(self, base: bytes, limit: int) -> CycleScreen:
        """Return the bounds on what those cycles pay for an input of at most `limit`."""
        if (base, limit) not in self._screens:
            self._screens[base, limit] = CycleScreen(self.cycles(base).all, self.pools, limit)
        return self._screens[base, limit]

    def _walk(self, base: bytes) -> Iterator[Cycle]:
        for first in self._from.get(base, ()):
            token = first.token_out
            for last in self._between.get((token, base), ()):
                if last.pool != first.pool:
                    yield (first, last)
            for middle in self._from.get(token, ()):
                far = middle.token_out
                if far == base or middle.pool == first.pool:
                    continue
                for last in self._between.get((far, base), ()):
                    if last.pool not in {first.pool, middle.pool}:
                        yield (first, middle, last)


class CycleBook:
    """The cycles of a graph through one token, and which of them cross a pool."""

    def __init__(self, cycles: Iterable[Cycle]) -> None:
        self.all = tuple(cycles)
        self._through: dict[bytes, list[int]] = defaultdict(list)
        for position, cycle in enumerate(self.all):
            for leg in cycle:
                self._through[leg.pool].append(position)

    def through(self, pools: Iterable[bytes]) -> list[int]:
        """Return the positions of the cycles that cross at least one of these pools, in their order."""
        return sorted({position for pool in pools for position in self._through.get(pool, ())})
