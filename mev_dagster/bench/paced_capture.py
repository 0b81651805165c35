"""Real blocks as a live feed: block files of any age, one a slot.

The blocks of a fixture lie years apart. Here each arrives one slot after the one before it, its transactions
spread over the slot by the rule that all synthetic arrival times follow, so that the daemon can play the
capture at speed 1 and every block comes as a head does.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mev_dagster.captures.importers import block_files, read_block_file, read_codes
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.captures.synthetic import RULE, synthetic_events
from mev_dagster.captures.writer import CaptureWriter
from mev_dagster.events.types import Event

NS_PER_SECOND = 1_000_000_000
RULE_SPAN_SECONDS = 12


def paced_capture(folder: Path, numbers: Sequence[int], slots: Sequence[int], out: Path) -> None:
    """Write the blocks of a folder as a capture in which block `i` comes `slots[i]` seconds after `i - 1`."""
    files = {int(path.name.split(".")[0]): path for path in block_files([folder])}
    codes = read_codes(folder / "codes.json.zst")
    with CaptureWriter(
        out,
        chain_id=1,
        arrival_times=ArrivalTimes.SYNTHETIC,
        synthetic_rule=f"one block a slot, whatever its timestamp; within the slot: {RULE}",
        recorded_with="mev bench dagster",
    ) as writer:
        at_ns = 0
        for number, slot in zip(numbers, slots, strict=True):
            read = read_block_file(files[number], codes)
            writer.add_block(read.block, read.receipts, read.prestate)
            at_ns = at_ns or read.block.header.timestamp * NS_PER_SECOND
            at_ns += slot * NS_PER_SECOND
            for event in synthetic_events(read.block):
                lead_ns = read.block.header.timestamp * NS_PER_SECOND - event.wall_ns
                lead_ns = lead_ns * slot // RULE_SPAN_SECONDS
                writer.add_event(_at(event, at_ns - lead_ns))


def _at(event: Event, wall_ns: int) -> Event:
    return replace(event, wall_ns=wall_ns, mono_ns=wall_ns)
