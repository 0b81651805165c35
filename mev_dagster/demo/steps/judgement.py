"""What really landed, and how our search stands against it."""

from mev_dagster.backtest.rows import backtest_columns
from mev_dagster.backtest.score import Backtest
from mev_dagster.blockrun import steps
from mev_dagster.blockrun.judging import score
from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.units import NS_PER_SECOND


def label(stage: Stage) -> StepOutcome:
    """Label the MEV that landed in every block, from receipts alone."""
    for number in stage.capture.numbers:
        stage.labels[number] = steps.store_labels(stage.run_of(number), payments_by=stage.engine)
    labels = stage.labels.values()
    arbitrages = [found for one in labels for found in one.of("arbitrage")]
    sandwiches = [found for one in labels for found in one.of("sandwich")]
    return StepOutcome(
        bool(arbitrages) and bool(sandwiches),
        {
            "blocks": len(labels),
            "swaps": sum(len(one.swaps) for one in labels),
            "arbitrages": len(arbitrages),
            "sandwiches": len(sandwiches),
            "victims": len({tx_hash for found in sandwiches for tx_hash in found.victim_hashes}),
            "net_wei": sum(found.net_wei or 0 for found in arbitrages)
            + sum(found.net_wei or 0 for found in sandwiches),
            "paid_to_builder_wei": sum(
                landed.direct_payment_wei for one in labels for landed in one.block.txs
            ),
            "takers": len({found.beneficiary for found in (*arbitrages, *sandwiches)}),
        },
    )


def backtest(stage: Stage) -> StepOutcome:
    """Score what the search found before the blocks against what landed in them."""
    scores = tuple(score(run.decision, stage.labels[number]) for number, run in stage.blocks.items())
    result = Backtest(scores, stage.capture.synthetic)
    first = stage.capture.block(stage.capture.numbers[0])
    columns = backtest_columns(
        result,
        source=stage.capture.path.name,
        first_block_time_ns=first.header.timestamp * NS_PER_SECOND,
    )
    stage.store.insert("backtests", columns)
    missed = sum(score.fn for score in result.per_kind.values())
    return StepOutcome(
        missed == 0,
        {
            "per_kind": {
                str(kind): {
                    "tp": score.tp,
                    "fp": score.fp,
                    "fn": score.fn,
                    "precision": score.precision,
                    "recall": score.recall,
                }
                for kind, score in sorted(result.per_kind.items())
            },
            "landed_wei": result.landed_wei,
            "captured_wei": result.captured_wei,
            "captured_share": result.captured_share,
            "pnl_wei": result.pnl_wei,
            "arrival_times": "synthetic" if result.synthetic else "observed",
        },
    )
