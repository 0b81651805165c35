"""Blocks to label, from wherever people keep them: block files, folders of them, captures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.captures.importers import block_files, read_block_file
from mev_dagster.captures.manifest import MANIFEST
from mev_dagster.errors import InputError
from mev_dagster.labels.landed import LandedBlock, landed_block, wrapped_ether_in


def landed_blocks(paths: Sequence[Path]) -> Iterator[LandedBlock]:
    """Yield the blocks of the captures and block files in `paths`, in the order given."""
    for path in paths:
        if (path / MANIFEST).exists():
            with open_capture(path) as capture:
                yield from blocks_of_capture(capture)
        elif path.exists():
            for file in block_files([path]):
                read = read_block_file(file, {})
                yield landed_block(read.block, read.receipts, wrapped_ether_in(read.prestate))
        else:
            raise InputError(f"{path}: no such file or folder")


def blocks_of_capture(capture: Capture) -> Iterator[LandedBlock]:
    """Yield the blocks of a capture that it has receipts for."""
    for number in capture.numbers:
        if capture.has_receipts(number):
            state = capture.prestate(number) if capture.has_prestate(number) else None
            weth = wrapped_ether_in(state) if state else None
            yield landed_block(capture.block(number), capture.receipts(number), weth)
