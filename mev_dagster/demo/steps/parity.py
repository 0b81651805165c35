"""Every block, executed on the state before it, gives what the node gave: receipts and roots."""

from collections import Counter

from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.evm.parity import check


def parity(stage: Stage) -> StepOutcome:
    """Execute every block of the capture and compare."""
    capture = stage.capture
    compared = [
        check(
            capture.block(number),
            capture.prestate(number),
            capture.receipts(number),
            stage.engine,
            chain=capture.chain_id,
        )
        for number in capture.numbers
    ]
    wrong = Counter(difference.what for block in compared for difference in block.differences)
    return StepOutcome(
        not wrong,
        {
            "engine": stage.engine.name,
            "fork": compared[0].fork.name.lower(),
            "blocks": len(compared),
            "txs": sum(block.txs for block in compared),
            "gas_used": sum(block.gas_used for block in compared),
            "gas_mismatches": wrong["gas"],
            "status_mismatches": wrong["status"],
            "log_mismatches": wrong["log"],
            "receipts_root_matches": sum(block.receipts_root_matches is True for block in compared),
            "state_root_matches": sum(block.state_root_matches is True for block in compared),
        },
    )
