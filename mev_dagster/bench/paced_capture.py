"""Real blocks as a live feed: blocks of any age, one a slot.

The blocks of a fixture lie years apart. Here each arrives one slot after the one before it, its transactions
spread over the slot by the rule that all synthetic arrival times follow, so that the daemon can play the
capture at speed 1 and every block comes as a head does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mev_dagster.captures.format import Capture
from mev_dagster.captures.importers import PrestateFile, block_files, read_block_file, read_codes
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.captures.synthetic import RULE, synthetic_events
from mev_dagster.captures.writer import CaptureWriter
from mev_dagster.events.types import Event
from mev_dagster.units import NS_PER_SECOND

RULE_SPAN_SECONDS = 12


def blocks_of_files(folder: Path, numbers: Sequence[int]) -> Iterator[PrestateFile]:
    """Yield blocks of a folder of block files."""
    files = {int(path.name.split(".")[0]): path for path in block_files([folder])}
    codes = read_codes(folder / "codes.json.zst")
    return (read_block_file(files[number], codes) for number in numbers)


def blocks_of_capture(capture: Capture, numbers: Sequence[int]) -> Iterator[PrestateFile]:
    """Yield blocks of a capture."""
    for number in numbers:
        yield PrestateFile(
            capture.chain_id, capture.block(number), capture.receipts(number), capture.prestate(number)
        )


def paced_capture(blocks: Iterable[PrestateFile], slots: Sequence[int], out: Path, chain_id: int) -> None:
    """Write blocks as a capture in which block `i` comes `slots[i]` seconds after the one before it."""
    with CaptureWriter(
        out,
        chain_id=chain_id,
        arrival_times=ArrivalTimes.SYNTHETIC,
        synthetic_rule=f"one block a slot, whatever its timestamp; within the slot: {RULE}",
        recorded_with="mev bench dagster",
    ) as writer:
        at_ns = 0
        for read, slot in zip(blocks, slots, strict=True):
            writer.add_block(read.block, read.receipts, read.prestate)
            block_ns = read.block.header.timestamp * NS_PER_SECOND
            at_ns = (at_ns or block_ns) + slot * NS_PER_SECOND
            for event in synthetic_events(read.block):
                lead_ns = (block_ns - event.wall_ns) * min(slot, RULE_SPAN_SECONDS) // RULE_SPAN_SECONDS
                writer.add_event(_at(event, at_ns - lead_ns))


def _at(event: Event, wall_ns: int) -> Event:
    return replace(event, wall_ns=wall_ns, mono_ns=wall_ns)
