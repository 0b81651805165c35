"""What the platform lets go of what grows: the store's rows, the log's segments, the home's recordings.

Each sweep yields what went, or in a dry run would go; trouble in one place is told and stops no other.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mev_dagster.captures.retention import prune_folder, rotate_traces
from mev_dagster.errors import MevError
from mev_dagster.evm.state.prestate_store import PrestateStore
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.ingest.daemon_client import tell
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from mev_dagster.store.retention import prune
from mev_dagster.units import NS_PER_DAY


@dataclass(frozen=True, slots=True)
class Swept:
    """What one place let go, or would; `problem` says why it could not be swept."""

    place: str
    what: str
    count: int
    problem: str = ""


def totals(swept: Iterable[Swept]) -> dict[str, int]:
    """Count what went, by place."""
    found: dict[str, int] = {}
    for one in swept:
        found[one.place] = found.get(one.place, 0) + one.count
    return found


def sweep_store(store: Store, dry_run: bool) -> Iterator[Swept]:
    """Rows older than their tier keeps, dropped by partition."""
    report = prune(store, dry_run=dry_run)
    for table, pruned in report.tables.items():
        yield Swept("store", f"{table}: {', '.join(pruned.days)}", pruned.rows)


def sweep_event_log(dry_run: bool) -> Iterator[Swept]:
    """Sealed segments that the store holds; the daemon, the log's only writer, removes them."""
    config = settings()
    before = time.time_ns() - config.retention.days_events * NS_PER_DAY
    try:
        answer = tell(config, "/log/prune", {"before_wall_ns": before, "dry_run": dry_run})
    except MevError as error:
        yield Swept("events", "", 0, str(error))
    else:
        names = answer["segments"]
        yield Swept("events", ", ".join(names) or "no segment", len(names))


def sweep_home(dry_run: bool) -> Iterator[Swept]:
    """Captures, report pages, prestates and traces, and alerts that were done with long ago."""
    config, now_ns = settings(), time.time_ns()
    before = now_ns - config.retention.days_recordings * NS_PER_DAY
    for place, folder in (("captures", config.home / "captures"), ("reports", config.reports_dir)):
        for removed in prune_folder(folder, before, dry_run=dry_run):
            yield Swept(place, removed.path.name, 1)
    try:
        for path in PrestateStore(config.prestate_dir).prune(before, dry_run=dry_run):
            yield Swept("prestates", f"{path.parent.name} {path.name}", 1)
    except MevError as error:
        yield Swept("prestates", "", 0, str(error))
    traces = config.home / "traces"
    for grown in rotate_traces(traces, now_ns, dry_run=dry_run):
        yield Swept("traces", f"{grown.path.name} set aside", 0)
    for removed in prune_folder(traces, before, dry_run=dry_run):
        yield Swept("traces", removed.path.name, 1)
    forgotten = AlertInbox(config.home).forget(
        now_ns - config.retention.days_alerts * NS_PER_DAY, dry_run=dry_run
    )
    yield Swept("alerts", "alerts done with", forgotten)
