"""`mev bench day`: a synthetic day of 2,000,000 transactions, logged, stored, replayed and compared.

Each part runs in a process of its own over the real path: the pipeline and the log's writer; the feeder with
decode workers and an embedded store; the replay from the log alone against what was stored.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mev_dagster.bench.day_part import EARLY
from mev_dagster.bench.day_stream import TRANSACTIONS, Stream
from mev_dagster.bench.harness import Options, Result, judge
from mev_dagster.errors import MevError

QUICK_SHARE = 50
MINUTES = 20
REAL_TIME = 100
FLAT = 1.5
"""How far memory's peak may pass that of the first tenth; what followed the stream would pass it tenfold."""


def run(options: Options) -> Iterator[Result]:
    """Yield the figures of a day; a fiftieth of it is too short to be judged by the clock."""
    stream = Stream.of(TRANSACTIONS // QUICK_SHARE if options.quick else TRANSACTIONS)
    with TemporaryDirectory(prefix="mev-bench-day-") as home:
        figures = {part: _run(part, home, stream, options) for part in ("ingest", "store", "replay")}
    yield from (replace(row, ok=None) if options.quick else row for row in _times(figures, stream))
    yield _parity(figures["replay"])
    count = stream.transactions
    log, stored = figures["ingest"]["bytes"] / count, figures["store"]["bytes"] / count
    yield Result("day log", log, "bytes/tx", note=f"{figures['ingest']['events']:,} events")
    yield Result(
        "day store", stored, "bytes/tx", note=f"{figures['store']['rows_written']:,} rows, all tables"
    )
    for part, found in figures.items():
        yield from _memory(part, found["memory"], judged=not options.quick)


def _run(part: str, home: str, stream: Stream, options: Options) -> dict[str, Any]:
    """Run one part to its end; return the last line it printed."""
    size = (str(stream.transactions), str(stream.slots))
    command = [sys.executable, "-m", "mev_dagster.bench.day_part", part, home, *size]
    document: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            document = json.loads(line)
            options.step(f"{part} {document.get('percent', 100)} %")
    if process.returncode:
        raise MevError(f"the {part} of the synthetic day ended with status {process.returncode}")
    return document


def _times(figures: dict[str, dict[str, Any]], stream: Stream) -> Iterator[Result]:
    """Yield the seconds of each part; replay is held against real time, the whole against the clock."""
    done = {
        "ingest": f"signed by helpers, through pipeline and log, {stream.slots} heads",
        "store": f"{figures['store']['transactions']:,} transactions decoded on workers, embedded store",
        "replay": "from the log alone, every row compared; limit: the stream's own time / 100",
    }
    for part, note in done.items():
        seconds = figures[part]["seconds"]
        rate = f"{stream.transactions / seconds:,.0f} transactions/s; {note}"
        if part == "replay":
            limit = stream.seconds / REAL_TIME
            yield judge(f"day {part}", seconds, "s", limit_value=limit, at_most_limit=1.0, note=rate)
        else:
            yield judge(f"day {part}", seconds, "s", note=rate)
    yield judge(
        "day",
        sum(found["seconds"] for found in figures.values()),
        "s",
        limit_value=MINUTES * 60 * stream.transactions / TRANSACTIONS,
        at_most_limit=1.0,
        note=f"{stream.transactions:,} transactions; limit: {MINUTES} minutes for {TRANSACTIONS:,}",
    )


def _parity(replayed: dict[str, Any]) -> Result:
    return Result(
        "day parity",
        100 * replayed["parity"],
        "%",
        budget="= 100 %",
        ok=replayed["parity"] == 1.0 and replayed["windows"] > 0,
        note=replayed["divergence"]
        or f"{replayed['rows']:,} rows, {replayed['windows']:,} windows; digest {replayed['digest'][:16]}",
    )


def _memory(part: str, memory: dict[str, dict[str, int]], *, judged: bool) -> Iterator[Result]:
    """Yield the peaks of a part's processes beside those after its first tenth."""
    for name, peak in memory["peak"].items():
        early = memory["early"][name]
        growth = peak / early
        yield Result(
            f"day {part} memory" if name == "process" else f"day {part} memory, {name}",
            peak / 2**20,
            "MiB",
            limit_value=early / 2**20,
            ratio_to_limit=growth,
            budget=f"<= {FLAT:g}x limit",
            ok=growth <= FLAT if judged else None,
            note=f"limit: the peak after {EARLY:.0%} of the work"
            + ("" if judged else "; too short a run to judge, caches are still filling"),
        )
