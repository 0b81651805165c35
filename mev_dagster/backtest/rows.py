"""A backtest as columns of the table `backtests`."""

from collections.abc import Mapping
from typing import Any

from mev_dagster.backtest.score import Backtest
from mev_dagster.labels.score import Agreement

ALL = "all"


def backtest_columns(result: Backtest, *, source: str, first_block_time_ns: int) -> Mapping[str, list[Any]]:
    """Return one row per kind and one for all.

    A kind's profit is the sum of what it found; that of all leaves out what competes across kinds.
    """
    scores = dict(result.per_kind)
    scores[ALL] = sum(result.per_kind.values(), start=Agreement())
    numbers = [block.number for block in result.blocks]
    rows = list(scores.items())
    return {
        "first_block_number": [min(numbers)] * len(rows),
        "last_block_number": [max(numbers)] * len(rows),
        "first_block_time": [first_block_time_ns] * len(rows),
        "source": [source] * len(rows),
        "kind": [kind for kind, _ in rows],
        "true_positives": [score.tp for _, score in rows],
        "false_positives": [score.fp for _, score in rows],
        "false_negatives": [score.fn for _, score in rows],
        "precision": [score.precision for _, score in rows],
        "recall": [score.recall for _, score in rows],
        "pnl_wei": [result.pnl_wei if kind == ALL else _pnl(result, kind) for kind, _ in rows],
        "captured_share": [result.captured_share if kind == ALL else None for kind, _ in rows],
        "synthetic": [result.synthetic] * len(rows),
    }


def _pnl(result: Backtest, kind: str) -> int:
    found = (one for block in result.blocks for one in block.found if str(one.kind) == kind)
    return sum(one.profit_wei for one in found)
