"""Blocks to label, from wherever people keep them: block files, folders of them, captures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.captures.manifest import MANIFEST
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import InputError, MissingState
from mev_dagster.evm.block_files import BlockFile, block_paths, load_block_file
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import SimulationEngine, Want
from mev_dagster.labels.landed import LandedBlock, landed_block, wrapped_ether_in
from mev_dagster.labels.payments import executed
from mev_dagster.labels.swaps import leaves_swaps_untold


def landed_blocks(paths: Sequence[Path], engine: SimulationEngine | None = None) -> Iterator[LandedBlock]:
    """Yield the blocks of the captures and block files in `paths`, in the order given.

    With an engine they are executed, to learn what was paid to the coinbase besides tips. Without one, block
    files whose logs leave swaps without their tokens are, as their calls name them.
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
        found = landed(read.block, read.expected, read.prestate, engine, read.chain_id)
        if engine is None and leaves_swaps_untold(found):
            found = _with_its_calls(load_block_file(file), found)
        yield found


def _with_its_calls(read: BlockFile, found: LandedBlock) -> LandedBlock:
    """Execute a block whose logs do not tell what its swaps traded; one that cannot be stays as it is."""
    engine = get_engine("auto", want=Want(calls=True))
    try:
        return landed(read.block, read.expected, read.prestate, engine, read.chain_id)
    except (MissingState, InputError):
        return found


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
    """Return a block with its receipts, what wraps ether in its state, and what execution tells of it."""
    if state is None:
        return landed_block(block, receipts, None)
    told = executed(block, receipts, state, engine, chain_id) if engine else {}
    return landed_block(block, receipts, wrapped_ether_in(state), told)
