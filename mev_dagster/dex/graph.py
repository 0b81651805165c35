"""Pairs as a graph of tokens, and the short cycles in it that start and end in one token."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mev_dagster.dex.venues.uniswap_v2 import Hop, Pair


class Leg(NamedTuple):
    """One pair, entered with one of its tokens."""

    pair: bytes
    token_in: bytes


Cycle = tuple[Leg, ...]


class PairGraph:
    """The pairs by the tokens they trade. Every walk visits pairs in address order, so runs agree."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.pairs: Mapping[bytes, Pair] = {
            pair.address: pair for pair in sorted(pairs, key=lambda pair: pair.address)
        }
        by_token: dict[bytes, list[Pair]] = defaultdict(list)
        between: dict[frozenset[bytes], list[Pair]] = defaultdict(list)
        for pair in self.pairs.values():
            by_token[pair.token0].append(pair)
            by_token[pair.token1].append(pair)
            between[frozenset((pair.token0, pair.token1))].append(pair)
        self._by_token, self._between = dict(by_token), dict(between)

    def cycles(self, base: bytes, through: frozenset[bytes] | None = None) -> Iterator[Cycle]:
        """Yield the directed cycles of two and three pairs from `base` back to `base`.

        With `through`, only those that cross at least one of these pairs.
        """
        for first in self._by_token.get(base, ()):
            token = first.other(base)
            for last in self._between.get(frozenset((token, base)), ()):
                if last is not first and _crosses(through, first, last):
                    yield (Leg(first.address, base), Leg(last.address, token))
            for middle in self._by_token[token]:
                far = middle.other(token)
                if far == base:
                    continue
                for last in self._between.get(frozenset((far, base)), ()):
                    if _crosses(through, first, middle, last):
                        yield (Leg(first.address, base), Leg(middle.address, token), Leg(last.address, far))

    def hops(self, cycle: Cycle, now: Mapping[bytes, Pair] | None = None) -> tuple[Hop, ...]:
        """Return the reserves along a cycle, taking pairs that moved from `now`."""
        moved = now or {}
        return tuple(moved.get(leg.pair, self.pairs[leg.pair]).hop(leg.token_in) for leg in cycle)


def _crosses(through: frozenset[bytes] | None, *pairs: Pair) -> bool:
    return through is None or any(pair.address in through for pair in pairs)
