"""Ingest: what the daemon saw between two heads, decoded."""

import dagster as dg

from assets.partitions import blocks
from assets.plots import bars, histogram
from assets.tables import preview, table_metadata
from mev_dagster.ingest.coverage import coverage_columns, window_coverage
from mev_dagster.ingest.rows import window_rows
from mev_dagster.ingest.window_store import ensure_window
from resources.event_log import EventLogResource
from resources.store import StoreResource

OWNERS = ["team:ingest"]

mempool = dg.AssetSpec(
    "mempool",
    group_name="sources",
    kinds={"ethereum"},
    owners=OWNERS,
    description="Pending transactions as peers, a node or a capture announce them.",
)
chain_heads = dg.AssetSpec(
    "chain_heads",
    group_name="sources",
    kinds={"ethereum"},
    owners=OWNERS,
    description="New heads, reorgs included.",
)


@dg.asset(
    group_name="ingest",
    partitions_def=blocks,
    deps=[mempool, chain_heads],
    owners=OWNERS,
    kinds={"python", "clickhouse"},
    metadata=table_metadata("ingest_windows"),
    code_version="1",
)
def ingest_windows(
    context: dg.AssetExecutionContext, store: StoreResource, event_log: EventLogResource
) -> dg.MaterializeResult:
    """The part of the event log that leads to this block: sightings, bodies, rejects and gaps.

    A function of the log alone. Where the store has lost rows of the window, they are written again.
    """
    rows = window_rows(event_log.reader(), int(context.partition_key))
    rewritten = ensure_window(store.client, rows)
    (window,) = rows.written["ingest_windows"]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": window["sightings"],
            "sightings": window["sightings"],
            "bodies": window["bodies"],
            "rejects": window["rejects"],
            "gaps": window["gaps"],
            "rows_rewritten": rewritten,
            "window_ms": (window["closed_at"] - window["opened_at"]) // 1_000_000,
            "block_hash": "0x" + window["block_hash"].hex(),
            "arrival_times": "synthetic" if window["synthetic"] else "observed",
            "arrivals": bars(
                "sightings over the window",
                histogram(
                    [row["seen_at"] for row in rows.written["tx_sightings"]],
                    window["opened_at"],
                    window["closed_at"],
                ),
            ),
            "first_sightings": preview(
                rows.written["tx_sightings"], ("seen_at", "tx_hash", "lane", "source", "announced_size")
            ),
        }
    )


@dg.asset(
    group_name="ingest",
    partitions_def=blocks,
    deps=[ingest_windows],
    owners=OWNERS,
    kinds={"python", "clickhouse"},
    metadata=table_metadata("transactions"),
    code_version="1",
    check_specs=[
        dg.AssetCheckSpec(
            "decoded_equals_log",
            asset="decoded_txs",
            blocking=True,
            description="Every body of the window decodes to the row the store holds.",
        )
    ],
)
def decoded_txs(
    context: dg.AssetExecutionContext, store: StoreResource, event_log: EventLogResource
) -> dg.MaterializeResult:
    """The window's transactions of every type, decoded from their raw bytes with recovered senders."""
    rows = window_rows(event_log.reader(), int(context.partition_key))
    transactions = rows.written["transactions"]
    hashes = [row["tx_hash"] for row in transactions]
    stored = stored_senders(store, hashes)
    differing = [row["tx_hash"] for row in transactions if stored.get(row["tx_hash"]) != row["sender"]]
    types = {kind: sum(row["tx_type"] == kind for row in transactions) for kind in range(5)}
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(transactions),
            **{f"type_{kind}": count for kind, count in types.items()},
            "input_bytes": sum(row["input_len"] for row in transactions),
            "types": bars("transactions by type, 0 to 4", list(types.values())),
            "sample": preview(transactions, ("tx_hash", "tx_type", "sender", "to", "value_wei", "selector")),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="decoded_equals_log",
                passed=not differing,
                metadata={"compared": len(hashes), "differing": len(differing)},
            )
        ],
    )


def stored_senders(store: StoreResource, hashes: list[bytes]) -> dict[bytes, bytes]:
    """Return the sender the store holds for each hash it knows."""
    from mev_dagster.store.sql import conditions
    from mev_dagster.store.tables import TABLES

    if not hashes:
        return {}
    where = conditions(TABLES["transactions"], {"tx_hash": hashes})
    return dict(store.client.rows(f"SELECT tx_hash, sender FROM transactions WHERE {where}"))  # noqa: S608


@dg.asset(
    group_name="ingest",
    partitions_def=blocks,
    deps=[ingest_windows],
    owners=OWNERS,
    kinds={"python", "clickhouse"},
    metadata=table_metadata("coverage"),
    code_version="1",
)
def source_coverage(
    context: dg.AssetExecutionContext, store: StoreResource, event_log: EventLogResource
) -> dg.MaterializeResult:
    """Which lane saw what first, what only one saw, and which of the block's transactions nobody saw."""
    rows = window_rows(event_log.reader(), int(context.partition_key))
    found = window_coverage(rows)
    number = int(context.partition_key)
    where = {"first_block_number": number, "last_block_number": number}
    store.client.replace("coverage", where, coverage_columns(rows, found))
    alone = [one for one in found if not one.other]
    lanes = [
        {"lane": one.lane, "seen": one.seen, "exclusive": one.exclusive, "included": one.included}
        for one in alone
    ]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(found),
            "lanes": preview(lanes, ("lane", "seen", "exclusive", "included")),
            "first_seen": bars("transactions seen, by lane", [one.seen for one in alone]),
            "seen_before_slot": max((one.before_slot for one in alone), default=0),
            "never_seen": min((one.never_seen for one in alone), default=0),
        }
    )
