"""Backtest a capture: search each block as if it were still to come, then look at what landed in it."""

from collections.abc import Callable

from mev_dagster.backtest.score import Backtest, score_block
from mev_dagster.captures.format import Capture
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.labels.label import label_block
from mev_dagster.labels.landed import landed_block, wrapped_ether_in
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.run import DEFAULT_BUDGET, search_block


def backtest_capture(
    capture: Capture,
    engine: SimulationEngine,
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
        block = capture.block(number)
        result = search_block(inputs, engine, budget=budget)
        landed = landed_block(block, capture.receipts(number), wrapped_ether_in(inputs.prestate))
        blocks.append(score_block(result, label_block(landed)))
    return Backtest(tuple(blocks), capture.synthetic)
