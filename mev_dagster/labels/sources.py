"""Blocks to label, from wherever people keep them: block files, call traces, folders of them, captures."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.captures.manifest import MANIFEST
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import InputError, MevError
from mev_dagster.evm.block_files import BlockFile, block_paths, load_block_file, read_document
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import SimulationEngine, Want
from mev_dagster.labels.landed import LandedBlock, landed_block, wrapped_ether_in
from mev_dagster.labels.payments import executed
from mev_dagster.labels.swaps import leaves_swaps_untold
from mev_dagster.labels.traces import NoCalls, is_answer, is_trace, traced_block

Unread = Callable[[Path, MevError], None]
"""Told of a file that cannot be used; the others go on."""


def landed_blocks(
    paths: Sequence[Path], engine: SimulationEngine | None = None, unread: Unread | None = None
) -> Iterator[LandedBlock]:
    """Yield the blocks of the captures, block files and traces in `paths`, in the order given.

    With an engine block files are executed, to learn what was paid to the coinbase besides tips. Without one,
    those whose logs leave swaps without their tokens are, as their calls name them. A file that cannot be
    used ends it, unless somebody is to be told of it.
    """
    for path in paths:
        try:
            if (path / MANIFEST).exists():
                with open_capture(path) as capture:
                    yield from blocks_of_capture(capture, engine)
                continue
            files = block_paths(path)
        except MevError as failure:
            _tell(path, failure, unread)
            continue
        for file in files:
            try:
                found = block_of_file(file, engine)
            except MevError as failure:
                _tell(file, failure, unread)
            else:
                yield found


def _tell(path: Path, failure: MevError, unread: Unread | None) -> None:
    if unread is None:
        raise failure
    unread(path, failure)


def block_of_file(path: Path, engine: SimulationEngine | None = None) -> LandedBlock:
    """Return the block of a block file or of a trace."""
    document = read_document(path)
    if is_trace(document):
        return traced_block(document, str(path))
    if is_answer(document):
        raise NoCalls(f"{path}: a node's answer, and not to trace_block or with callTracer")
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a block file, or calls of trace_block or callTracer")
    return _of_a_block_file(path, document, engine)


def _of_a_block_file(path: Path, document: Any, engine: SimulationEngine | None) -> LandedBlock:
    read = load_block_file(path, None if engine else {}, document)
    found = landed(read.block, read.expected, read.prestate, engine, read.chain_id)
    if engine is None and leaves_swaps_untold(found):
        found = _with_its_calls(load_block_file(path, document=document), found)
    return found


def _with_its_calls(read: BlockFile, found: LandedBlock) -> LandedBlock:
    """Execute a block whose logs do not tell what its swaps traded; one that cannot be stays as it is."""
    engine = get_engine("auto", want=Want(calls=True))
    try:
        return landed(read.block, read.expected, read.prestate, engine, read.chain_id)
    except MevError:
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
