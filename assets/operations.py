"""Operations: what keeps the platform's own data in bounds."""

import dagster as dg

from assets.tables import preview
from mev_dagster.store.retention import prune
from resources.store import StoreResource


class RetentionConfig(dg.Config):
    """What a retention run may do."""

    dry_run: bool = False


@dg.asset(
    group_name="operations",
    owners=["team:operations"],
    kinds={"clickhouse"},
    description="Rows older than their tier keeps, dropped by partition; a dry run only lists them.",
)
def retention(
    context: dg.AssetExecutionContext, config: RetentionConfig, store: StoreResource
) -> dg.MaterializeResult:
    """Apply the retention tiers of the settings to every table of the store."""
    report = prune(store.client, dry_run=config.dry_run)
    rows = [
        {"table": table, "rows": found.rows, "days": ", ".join(found.days)}
        for table, found in report.tables.items()
    ]
    return dg.MaterializeResult(
        metadata={
            "rows_pruned": report.rows_pruned,
            "dry_run": report.dry_run,
            "tables": preview(rows, ("table", "rows", "days")),
        }
    )
