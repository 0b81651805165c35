"""Blocks that fell through: windows without a result, and numbers without a window.

A window without a result, where a later one has its own, needs a run; what nothing has overtaken yet is still
the hot lane's. A number without a window needs one when the log has that window, which the run then writes
again; what the log never saw is recorded as an alert.
"""

import time
from importlib import resources

from mev_dagster.blockrun.new_windows import NewWindow
from mev_dagster.errors import InputError, MevError
from mev_dagster.events.reader import EventLogReader
from mev_dagster.settings import settings
from mev_dagster.store.alerts import raise_once
from mev_dagster.store.client import Store
from mev_dagster.telemetry.block_names import name_blocks
from mev_dagster.telemetry.retries import Backoff
from mev_dagster.windows.log_windows import find_window, log_identity

GRACE_SECONDS = 60
"""The hot lane has this long before its blocks count as fallen through."""
LOOKED_FOR_AT_ONCE = 8
BETWEEN_ROUNDS = Backoff(first_seconds=600.0, limit_seconds=21_600.0)

_SQL = resources.files("mev_dagster.blockrun")
UNSEARCHED_SQL = (_SQL / "unsearched_windows.sql").read_text()
MISSING_SQL = (_SQL / "missing_windows.sql").read_text()


def unsearched(store: Store, limit: int) -> list[NewWindow]:
    """Return windows whose block has no result after the grace time."""
    kept = settings().dagster.blocks_kept
    found = store.rows(UNSEARCHED_SQL, {"seconds": GRACE_SECONDS, "limit": limit, "kept": kept})
    return [NewWindow(str(log_id), int(seq), int(number), hash_) for log_id, seq, number, hash_ in found]


def missing(store: Store) -> tuple[list[NewWindow], list[int]]:
    """Return the numbers without a window: those the log can restore, and those it never saw."""
    numbers: list[int] = []
    asked = {"limit": LOOKED_FOR_AT_ONCE, "kept": settings().dagster.blocks_kept}
    for first, last in store.rows(MISSING_SQL, asked):
        numbers += range(int(first), min(int(last), int(first) + LOOKED_FOR_AT_ONCE) + 1)
    restorable, lost = [], []
    if numbers:
        reader = EventLogReader(settings().events_dir)
        for number in numbers[:LOOKED_FOR_AT_ONCE]:
            try:
                span = find_window(reader, number)
            except (InputError, MevError):
                lost.append(number)
            else:
                restorable.append(NewWindow(log_identity(reader), span.last_seq, number, span.block_hash))
    return restorable, lost


def record_lost(store: Store, numbers: list[int]) -> None:
    """Keep an alert row for blocks whose windows no log holds; the same blocks make the same row."""
    raise_once(
        store,
        source="gaps",
        labels={"alertname": "MissingWindows", "block": name_blocks(numbers)},
        summary=f"no log holds the windows of {len(numbers)} blocks from {numbers[0]} on",
        blocks=numbers,
        action="none: what was not seen cannot be searched",
        now_ns=time.time_ns(),
    )


def gap_of(window: NewWindow) -> str:
    """Return what a window's gap is known by, as the tag of its runs."""
    return f"{window.block_hash.hex()}:{window.seq}"


def run_key(window: NewWindow, rounds: int = 0) -> str:
    """Return what the run of a gap is known by: each round of a window's gap gets one."""
    return f"gap:{gap_of(window)}" + (f":{rounds}" if rounds else "")


def is_due(rounds: int, ended_seconds_ago: float) -> bool:
    """Say whether a gap that had so many rounds, the last of which ended so long ago, gets another one.

    A gap is never given up: its rounds only come less often, from ten minutes up to six hours apart.
    """
    return rounds == 0 or ended_seconds_ago >= BETWEEN_ROUNDS.whole_seconds(rounds)
