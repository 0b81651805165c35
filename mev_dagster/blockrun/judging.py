"""Label and score: what landed in a block, and how the search did against it."""

from collections.abc import Collection, Sequence
from functools import partial

from mev_dagster.backtest.missed import why_missed
from mev_dagster.backtest.opportunity import Way, landed_in
from mev_dagster.backtest.score import BlockScore, score_block
from mev_dagster.blockrun.decide import Decision
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import SimulationEngine, Want
from mev_dagster.labels.label import BlockLabels, label_block
from mev_dagster.labels.sources import landed
from mev_dagster.plugins import one_block
from mev_dagster.search.landed import Landed


def label_landed(
    block: Block,
    receipts: Sequence[Receipt],
    prestate: Prestate,
    *,
    chain_id: int,
    payments_by: SimulationEngine | None = None,
) -> BlockLabels:
    """Label what landed; an engine to execute it with finds what was paid to the coinbase besides tips."""
    return label_block(landed(block, receipts, prestate, payments_by, chain_id))


def seeing_calls(engine: SimulationEngine) -> SimulationEngine:
    """Return the engine so that it tells calls too, where it is one that we can have anew."""
    return get_engine(engine.name, want=Want(calls=True)) if engine.name in ("py_evm", "revm") else engine


@one_block()
def score(decision: Decision, labels: BlockLabels, seen_later: Collection[bytes] = ()) -> BlockScore:
    """Compare what was decided before a block with what landed in it."""
    result = decision.result
    why = partial(why_missed, result=result, seen_later=seen_later)
    return score_block(result.env.number, result.candidates, tuple(landed_in(labels)), why)


@one_block()
def score_stored(number: int, candidates: Sequence[Way], landed: Sequence[Landed]) -> BlockScore:
    """Do the same with what is stored of both."""
    return score_block(number, candidates, landed)
