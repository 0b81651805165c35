"""Blocks to label, from wherever people keep them: block files, folders of them, captures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.captures.manifest import MANIFEST
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.evm.block_files import block_paths, load_block_file
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.labels.landed import LandedBlock, landed_block, wrapped_ether_in
from mev_dagster.labels.payments import direct_payments_wei


def landed_blocks(paths: Sequence[Path], engine: SimulationEngine | None = None) -> Iterator[LandedBlock]:
    """Yield the blocks of the captures and block files in `paths`, in the order given.

    With an engine they are executed, to learn what was paid to the coinbase besides tips.
    """
    for path in paths:
        if (path / MANIFEST).exists():
            with open_capture(path) as capture:
                yield from blocks_of_capture(capture, engine)
        else:
            yield from blocks_of_files(path, engine)


def blocks_of_files(path: Path, engine: SimulationEngine | None = None) -> Iterator[LandedBlock]:
    """Yield the blocks of a block file or of a folder of them."""
    for file in block_paths(path):
        read = load_block_file(file, None if engine else {})
        yield landed(read.block, read.expected, read.prestate, engine, read.chain_id)


def blocks_of_capture(capture: Capture, engine: SimulationEngine | None = None) -> Iterator[LandedBlock]:
    """Yield the blocks of a capture that it has receipts for."""
    for number in capture.numbers:
        if capture.has_receipts(number):
            state = capture.prestate(number) if capture.has_prestate(number) else None
            receipts = capture.receipts(number)
            yield landed(capture.block(number), receipts, state, engine, capture.chain_id)


def landed(
    block: Block,
    receipts: Sequence[Receipt],
    state: Prestate | None,
    engine: SimulationEngine | None,
    chain_id: int,
) -> LandedBlock:
    """Return a block with its receipts, what wraps ether in its state, and payments if it is executed."""
    if state is None:
        return landed_block(block, receipts, None)
    payments = direct_payments_wei(block, state, engine, chain_id) if engine else {}
    return landed_block(block, receipts, wrapped_ether_in(state), payments)
