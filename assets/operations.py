"""Operations: what keeps the platform's own data in bounds."""

from datetime import timedelta
from itertools import pairwise

import dagster as dg

from assets.tables import preview
from mev_dagster.blockrun.source_code import version_of
from mev_dagster.events.manifest import read_manifest
from mev_dagster.ingest.daemon_client import tell
from mev_dagster.retention import sweep_event_log, sweep_home, sweep_store, totals
from mev_dagster.settings import settings
from resources.runtime.instance_sweep import sweep_dagster
from resources.store import StoreResource

OWNERS = ["team:operations"]


class RetentionConfig(dg.Config):
    """What a retention run may do."""

    dry_run: bool = False


@dg.asset(
    group_name="operations",
    owners=OWNERS,
    kinds={"clickhouse", "python"},
    code_version=version_of("retention", "assets.operations"),
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


@dg.asset(
    group_name="operations",
    owners=OWNERS,
    kinds={"python"},
    code_version=version_of("events", "assets.operations"),
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
