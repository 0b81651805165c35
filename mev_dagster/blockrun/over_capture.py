"""Every block of a capture decided, as if it were still to come; and the decisions against what landed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mev_dagster.backtest.score import Backtest
from mev_dagster.backtest.visible import visible_before
from mev_dagster.blockrun.decide import Decision, decide
from mev_dagster.blockrun.judging import label_landed, score
from mev_dagster.captures.format import Capture
from mev_dagster.events.types import TxSeen
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.pool_sync import known_before
from mev_dagster.search.run import DEFAULT_BUDGET


def decide_capture(
    capture: Capture,
    engine: SimulationEngine,
    judge: Recheck,
    *,
    number: int | None = None,
    budget: int = DEFAULT_BUDGET,
    book: Path | None = None,
    on_step: Callable[[int, str], None] = lambda number, step: None,
) -> Iterator[Decision]:
    """Decide every block that the capture has a state for, or block `number` alone.

    `book` is a pool book that stands before these blocks; its pools are searched beside those of the state.
    """
    for inputs in capture_inputs(capture, number):
        if book is not None:
            known = known_before(book, capture, inputs.env.number, inputs.env.parent_hash)
            inputs = replace(inputs, known_pools=known)  # noqa: PLW2901

        def say(step: str, of: int = inputs.env.number) -> None:
            on_step(of, step)

        yield decide(inputs, engine, judge, budget=budget, on_step=say)


def backtest_capture(
    capture: Capture,
    engine: SimulationEngine,
    judge: Recheck,
    *,
    number: int | None = None,
    budget: int = DEFAULT_BUDGET,
    on_block: Callable[[int], None] = lambda number: None,
) -> Backtest:
    """Score every block of a capture that has a state and receipts, or block `number` alone.

    What nobody saw before a block is not shown to its search, and what was seen only behind it is told apart.
    """
    blocks = []
    ever_seen = {
        event.tx_hash for event in capture.events() if isinstance(event, TxSeen) and not event.synthetic
    }
    for inputs in capture_inputs(capture, number):
        at = inputs.env.number
        if not capture.has_receipts(at):
            continue
        on_block(at)
        labels = label_landed(
            capture.block(at), capture.receipts(at), inputs.prestate, chain_id=capture.chain_id
        )
        decision = decide(visible_before(inputs, labels), engine, judge, budget=budget)
        blocks.append(score(decision, labels, ever_seen))
    return Backtest(tuple(blocks), capture.synthetic)
