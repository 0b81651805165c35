"""Ingest: what the daemon saw between two heads, decoded."""

import dagster as dg

from assets.per_block import RunOrder, block_asset
from assets.plots import bars, histogram
from assets.tables import preview
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.store.client import Store
from mev_dagster.units import NS_PER_MS
from mev_dagster.windows.coverage import coverage_columns, measure
from resources.block_search import BlockSearch

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


@block_asset(
    "ingest",
    table="ingest_windows",
    team="ingest",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[mempool, chain_heads],
    checks=[
        dg.AssetCheckSpec(
            "no_lane_was_down",
            asset="ingest_windows",
            description="No lane was disconnected while the window was open; its counts are whole.",
        )
    ],
)
def ingest_windows(block: BlockSearch) -> dg.MaterializeResult:
    """The part of the event log that leads to this block: sightings, bodies, rejects and gaps.

    A function of the log alone. Where the store has lost rows of the window, they are written again.
    """
    rows = block.window
    rewritten = block.ensure_window()
    (window,) = rows.written["ingest_windows"]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": window["sightings"],
            "sightings": window["sightings"],
            "bodies": window["bodies"],
            "rejects": window["rejects"],
            "gaps": window["gaps"],
            "rows_rewritten": rewritten,
            "window_ms": (window["closed_at"] - window["opened_at"]) // NS_PER_MS,
            "block_hash": to_hex(window["block_hash"]),
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
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="no_lane_was_down",
                passed=not window["gaps"],
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"gaps": window["gaps"]},
            )
        ],
    )


@block_asset(
    "ingest",
    table="transactions",
    team="ingest",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[ingest_windows],
    checks=[
        dg.AssetCheckSpec(
            "decoded_equals_log",
            asset="decoded_txs",
            blocking=True,
            description="Every body of the window decodes to the row the store holds.",
        )
    ],
)
def decoded_txs(block: BlockSearch) -> dg.MaterializeResult:
    """The window's transactions of every type, decoded from their raw bytes with recovered senders."""
    rows = block.window
    transactions = rows.written["transactions"]
    hashes = [row["tx_hash"] for row in transactions]
    stored = stored_senders(block.store, hashes)
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


def stored_senders(store: Store, hashes: list[bytes]) -> dict[bytes, bytes]:
    """Return the sender the store holds for each hash it knows."""
    from mev_dagster.store.sql import conditions
    from mev_dagster.store.tables import TABLES

    if not hashes:
        return {}
    where = conditions(TABLES["transactions"], {"tx_hash": hashes})
    return dict(store.rows(f"SELECT tx_hash, sender FROM transactions WHERE {where}"))  # noqa: S608


@block_asset("ingest", table="coverage", team="ingest", deps=[ingest_windows])
def source_coverage(block: BlockSearch) -> dg.MaterializeResult:
    """Which lane saw what first, what only one saw, and which of the block's transactions nobody saw."""
    found = measure(block.store, first=block.number, last=block.number)
    if found is None:
        raise InputError(f"block {block.number}: the store holds no window that leads to it")
    where = {"first_block_number": block.number, "last_block_number": block.number}
    block.replace("coverage", where, coverage_columns(found))
    lanes = [
        {"lane": one.lane, "seen": one.seen, "exclusive": one.exclusive, "included": one.included}
        for one in found.lanes
    ]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(found.rows),
            "lanes": preview(lanes, ("lane", "seen", "exclusive", "included")),
            "first_seen": bars("transactions seen, by lane", [one.seen for one in found.lanes]),
            "seen_before_slot": found.together.before_slot,
            "never_seen": found.together.never_seen,
        }
    )
