"""Blocks to label, from wherever people keep them: block files, folders of them, captures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.captures.importers import block_files, read_block_file
from mev_dagster.captures.manifest import MANIFEST
from mev_dagster.errors import InputError
from mev_dagster.labels.landed import LandedBlock, landed_block, wrapped_ether_in


def landed_blocks(paths: Sequence[Path], engine: SimulationEngine | None = None) -> Iterator[LandedBlock]:
    """Yield the blocks of the captures and block files in `paths`, in the order given.

    With an engine they are executed, to learn what was paid to the coinbase besides tips.
    """
    for path in paths:
        if (path / MANIFEST).exists():
            with open_capture(path) as capture:
                yield from blocks_of_capture(capture, engine)
        elif path.exists():
            yield from blocks_of_files(path, engine)
        else:
            raise InputError(f"{path}: no such file or folder")


def blocks_of_files(path: Path, engine: SimulationEngine | None = None) -> Iterator[LandedBlock]:
    """Yield the blocks of a block file or of a folder of them."""
    for file in block_files([path]):
        read = read_block_file(file, codes_beside(file) if engine else {})
        yield _landed(read.block, read.receipts, read.prestate, engine, read.chain_id)


def blocks_of_capture(capture: Capture, engine: SimulationEngine | None = None) -> Iterator[LandedBlock]:
    """Yield the blocks of a capture that it has receipts for."""
    for number in capture.numbers:
        if capture.has_receipts(number):
            state = capture.prestate(number) if capture.has_prestate(number) else None
            yield _landed(
                capture.block(number), capture.receipts(number), state, engine, capture.chain_id
            )


def _landed(
    block: Block,
    receipts: Sequence[Receipt],
    state: Prestate | None,
    engine: SimulationEngine | None,
    chain_id: int,
) -> LandedBlock:
    if state is None:
        return landed_block(block, receipts, None)
    paid = direct_payments_wei(block, state, engine, chain_id) if engine else NOTHING_PAID
    return landed_block(block, receipts, wrapped_ether_in(state), paid)
