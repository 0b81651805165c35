"""Every block of a capture decided, as if it were still to come; and the decisions against what landed."""

from collections.abc import Callable, Iterator

from mev_dagster.backtest.score import Backtest
from mev_dagster.blockrun.decide import Decision, decide
from mev_dagster.blockrun.judging import label_landed, score
from mev_dagster.captures.format import Capture
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.run import DEFAULT_BUDGET


def decide_capture(
    capture: Capture,
    engine: SimulationEngine,
    judge: Recheck,
    *,
    number: int | None = None,
    budget: int = DEFAULT_BUDGET,
    on_step: Callable[[int, str], None] = lambda number, step: None,
) -> Iterator[Decision]:
    """Decide every block that the capture has a state for, or block `number` alone."""
    for inputs in capture_inputs(capture, number):

        def say(step: str, of: int = inputs.env.number) -> None:
            on_step(of, step)

        yield decide(inputs, engine, judge, budget=budget, on_step=say)


def backtest_capture(
    capture: Capture,
    engine: SimulationEngine,
    judge: Recheck,
    *,
    budget: int = DEFAULT_BUDGET,
    on_block: Callable[[int], None] = lambda number: None,
) -> Backtest:
    """Score every block of a capture that has a state and receipts."""
    blocks = []
    for inputs in capture_inputs(capture):
        number = inputs.env.number
        if not capture.has_receipts(number):
            continue
        on_block(number)
        decision = decide(inputs, engine, judge, budget=budget)
        labels = label_landed(
            capture.block(number), capture.receipts(number), inputs.prestate, chain_id=capture.chain_id
        )
        blocks.append(score(decision, labels))
    return Backtest(tuple(blocks), capture.synthetic)
