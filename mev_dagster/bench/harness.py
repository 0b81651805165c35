"""Measure contenders side by side, and judge ratios.

Work is cut into blocks. In every round each contender does each block once, in shuffled order, so that a
noisy moment hits all of them; a contender's figure is the sum over blocks of its fastest round, in CPU time
of this process. Minima are what the machine can do, and interleaving makes their ratio hold still.
"""

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Clock = Callable[[], float]


def _silent(_: str) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a benchmark runs: `quick` is for a look, not for judging; `step` hears what is being done."""

    quick: bool = False
    step: Callable[[str], None] = _silent


@dataclass(frozen=True, slots=True)
class Result:
    """One figure beside its peer's and its limit's, and what the budget asks of their ratio.

    A ratio above 1 to the peer means that many times better than the peer; to the limit, that many times
    as expensive as the limit. `ok` is None where the machine could not measure it; `note` says why.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    limit_value: float | None = None
    ratio_to_peer: float | None = None
    ratio_to_limit: float | None = None
    budget: str = ""
    ok: bool | None = True
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the row as `mev bench --json` prints it, figures to four digits."""
        return {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def judge(
    name: str,
    value: float,
    unit: str,
    *,
    peer: str = "",
    peer_value: float | None = None,
    limit_value: float | None = None,
    at_least_peer: float | None = None,
    at_most_limit: float | None = None,
    note: str = "",
) -> Result:
    """Make a row of costs (less is better) and hold it against its budget."""
    to_peer = None if peer_value is None else peer_value / value
    to_limit = None if limit_value is None else value / limit_value
    promises = []
    kept = True
    if at_least_peer is not None and to_peer is not None:
        promises.append(f">= {at_least_peer:g}x peer")
        kept = kept and to_peer >= at_least_peer
    if at_most_limit is not None and to_limit is not None:
        promises.append(f"<= {at_most_limit:g}x limit")
        kept = kept and to_limit <= at_most_limit
    budget = ", ".join(promises)
    return Result(name, value, unit, peer, peer_value, limit_value, to_peer, to_limit, budget, kept, note)


def interleave(
    contenders: Mapping[str, Callable[[T], object]],
    blocks: Sequence[T],
    *,
    rounds: int,
    clock: Clock = time.process_time,
    seed: int = 7,
    step: Callable[[str], None] = _silent,
) -> dict[str, float]:
    """Return, for each contender, the seconds of its fastest pass over all blocks.

    The collector is off while the clock runs, for every contender alike, and runs in between.
    """
    order = [(name, index) for name in contenders for index in range(len(blocks))]
    best = dict.fromkeys(order, float("inf"))
    chance = random.Random(seed)  # noqa: S311 - shuffles the order, guards nothing
    for number in range(rounds):
        step(f"round {number + 1} of {rounds}")
        chance.shuffle(order)
        for name, index in order:
            work, block = contenders[name], blocks[index]
            gc.collect(0)
            gc.disable()
            try:
                start = clock()
                work(block)
                best[name, index] = min(best[name, index], clock() - start)
            finally:
                gc.enable()
    return {name: sum(best[name, index] for index in range(len(blocks))) for name in contenders}
