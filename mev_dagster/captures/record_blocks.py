"""Record blocks that have long landed, from an archive or full node: packs that any tool can execute alone.

Each block comes with its receipts, the state it reads, and a witness from its parent's state root. Nobody saw
its transactions arrive here, so the arrival times are made up, and marked so.
"""

from collections.abc import Callable
from pathlib import Path

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.manifest import ArrivalTimes, CaptureManifest
from mev_dagster.captures.record import RecordedBlock, prove
from mev_dagster.captures.record_witness import record_witness
from mev_dagster.captures.source import NodeSource
from mev_dagster.captures.synthetic import RULE, synthetic_events
from mev_dagster.captures.writer import CaptureWriter
from mev_dagster.chain.blocks import Header
from mev_dagster.errors import InputError
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.node.blocks import load_block
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.node.http import JsonRpc


def record_blocks(
    rpc: JsonRpc,
    out: Path | str,
    first: int,
    last: int,
    *,
    engine: SimulationEngine,
    on_block: Callable[[RecordedBlock], None] = lambda recorded: None,
) -> CaptureManifest:
    """Write blocks `first` to `last` with all that executing each alone takes, and prove them."""
    if not 1 <= first <= last:
        raise InputError(f"blocks {first} to {last}: expected 1 ≤ first ≤ last")
    source = NodeSource(rpc)
    parent: Header | None = None
    writer = CaptureWriter(
        out,
        chain_id=source.chain_id,
        arrival_times=ArrivalTimes.SYNTHETIC,
        synthetic_rule=RULE,
        recorded_with=f"mev capture record on {rpc.call('web3_clientVersion')}",
    )
    with writer:
        for number in range(first, last + 1):
            loaded = load_block(rpc, number, engine)
            execute_block(engine, loaded.state, loaded.block, loaded.schedule)  # what it reads is recorded
            prestate = loaded.state.recorded()
            receipts = source.receipts(number)
            witness = record_witness(rpc, loaded.block, loaded.schedule, engine, prestate)
            for event in synthetic_events(loaded.block, parent):
                writer.add_event(event)
            writer.add_block(loaded.block, receipts, prestate, witness)
            parent = loaded.block.header
            on_block(RecordedBlock(loaded.block, receipts, prestate))
    prove(out, engine)
    with open_capture(out) as capture:
        return capture.manifest
