"""Operations: what keeps the platform's own data in bounds."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import dagster as dg

from assets.partitions import blocks
from assets.tables import preview
from mev_dagster.captures.retention import prune_folder, rotate_traces
from mev_dagster.errors import MevError
from mev_dagster.events.manifest import read_manifest
from mev_dagster.evm.state.prestate_store import PrestateStore
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.ingest.daemon_client import tell
from mev_dagster.reports.links import reports_dir
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from mev_dagster.store.retention import prune
from mev_dagster.units import NS_PER_DAY
from resources.runtime.instance_remains import sweep_backfills, sweep_checks, sweep_ticks
from resources.runtime.instance_retention import delete_keys, delete_runs, expired_keys, old_runs
from resources.store import StoreResource

OWNERS = ["team:operations"]


class RetentionConfig(dg.Config):
    """What a retention run may do."""

    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Swept:
    """What one place let go, or would; `problem` says why it could not be swept."""

    place: str
    what: str
    count: int
    problem: str = ""


@dg.asset(
    group_name="operations",
    owners=OWNERS,
    kinds={"clickhouse", "python"},
    code_version="1",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26)),
    description="Everything that grows, cut back to what the settings keep; a dry run lists what would go.",
    check_specs=[
        dg.AssetCheckSpec(
            "everything_swept", asset="retention", description="No place refused or failed to answer."
        )
    ],
)
def retention(
    context: dg.AssetExecutionContext, config: RetentionConfig, store: StoreResource
) -> dg.MaterializeResult:
    """Sweep the store's tables, the event log, recordings, alerts, Dagster's runs and the block keys."""
    swept = [
        *sweep_store(store.client, config.dry_run),
        *sweep_event_log(config.dry_run),
        *sweep_home(config.dry_run),
        *sweep_dagster(context.instance, config.dry_run),
    ]
    rows = [
        {"place": one.place, "gone": one.what, "count": one.count, "problem": one.problem} for one in swept
    ]
    problems = [f"{one.place}: {one.problem}" for one in swept if one.problem]
    return dg.MaterializeResult(
        metadata={
            "dry_run": config.dry_run,
            "swept": preview(rows, ("place", "gone", "count", "problem"), limit=len(rows)),
            **{f"gone_{place}": count for place, count in totals(swept).items()},
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="everything_swept",
                passed=not problems,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"problems": "; ".join(problems)},
            )
        ],
    )


def totals(swept: list[Swept]) -> dict[str, int]:
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


def sweep_beside_the_store(dry_run: bool) -> Iterator[Swept]:
    """Everything but the store, as `mev store prune --all` does it; Dagster's records where there are any."""
    yield from sweep_event_log(dry_run)
    yield from sweep_home(dry_run)
    home = settings().dagster_home.resolve()
    if (home / "dagster.yaml").exists():
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield from sweep_dagster(instance, dry_run)


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
    for place, folder in (("captures", config.home / "captures"), ("reports", reports_dir(config))):
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


def sweep_dagster(instance: dg.DagsterInstance, dry_run: bool) -> Iterator[Swept]:
    """Ended runs with their events, and block keys beyond the rolling window."""
    config = settings()
    before = datetime.now(UTC) - timedelta(days=config.retention.days_runs)
    runs = old_runs(instance, before)
    keys = expired_keys(instance.get_dynamic_partitions(str(blocks.name)), config.dagster.blocks_kept)
    if not dry_run:
        delete_runs(instance, runs)
        delete_keys(instance, str(blocks.name), keys)
    yield Swept("runs", "ended runs and their events", len(runs))
    for place, sweep in (("checks", sweep_checks), ("backfills", sweep_backfills), ("ticks", sweep_ticks)):
        yield Swept(place, f"from before {before:%Y-%m-%d}", sweep(instance, before, dry_run=dry_run))
    yield Swept("keys", f"{keys[0]} to {keys[-1]}" if keys else "no key", len(keys))


@dg.asset(
    group_name="operations",
    owners=OWNERS,
    kinds={"python"},
    code_version="1",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2)),
    check_specs=[
        dg.AssetCheckSpec(
            "chain_is_unbroken",
            asset="event_log_segments",
            description="Every sealed segment names the digest of the one before it.",
        )
    ],
)
def event_log_segments(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The event log's open segment sealed into the hash chain, and what the log holds now."""
    config = settings()
    sealed = tell(config, "/log/seal", {})
    segments = read_manifest(config.events_dir).segments
    rows = [{"segment": one.name, "bytes": one.bytes, "digest": one.digest} for one in segments[-12:]]
    torn = [later.name for earlier, later in pairwise(segments) if later.previous_digest != earlier.digest]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sealed["durable_seq"] + 1,
            "segments": len(segments),
            "bytes": sum(one.bytes for one in segments),
            "newest": preview(rows, ("segment", "bytes", "digest")),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="chain_is_unbroken",
                passed=not torn,
                metadata={"segments": len(segments), "torn_before": ", ".join(torn)},
            )
        ],
    )
