"""What the ingest assets show."""

from typing import Any

import dagster as dg

from assets.plots import bars, histogram
from assets.tables import preview
from assets.verdicts import without_verdict
from mev_dagster.blockrun.steps import Decoded
from mev_dagster.hexadecimal import to_hex
from mev_dagster.units import NS_PER_MS
from mev_dagster.windows.coverage import Coverage
from mev_dagster.windows.rows import Rows

NO_LANE_WAS_DOWN = "no_lane_was_down"
DECODED_EQUALS_LOG = "decoded_equals_log"


def window(rows: Rows, rewritten: int) -> dict[str, Any]:
    """Return what a window held and when it came."""
    (found,) = rows.written["ingest_windows"]
    sightings = rows.written["tx_sightings"]
    return {
        "dagster/row_count": found["sightings"],
        "sightings": found["sightings"],
        "bodies": found["bodies"],
        "rejects": found["rejects"],
        "gaps": found["gaps"],
        "rows_rewritten": rewritten,
        "window_ms": (found["closed_at"] - found["opened_at"]) // NS_PER_MS,
        "block_hash": to_hex(found["block_hash"]),
        "arrival_times": "synthetic" if found["synthetic"] else "observed",
        "arrivals": bars(
            "sightings over the window",
            histogram([row["seen_at"] for row in sightings], found["opened_at"], found["closed_at"]),
        ),
        "first_sightings": preview(sightings, ("seen_at", "tx_hash", "lane", "source", "announced_size")),
    }


def lanes_up(rows: Rows) -> dg.AssetCheckResult:
    """Say whether every lane was up while the window was open."""
    (found,) = rows.written["ingest_windows"]
    return dg.AssetCheckResult(
        check_name=NO_LANE_WAS_DOWN,
        passed=not found["gaps"],
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"gaps": found["gaps"]},
    )


def decoded(found: Decoded) -> dict[str, Any]:
    """Return the window's transactions by type."""
    transactions = found.transactions
    types = {kind: sum(row["tx_type"] == kind for row in transactions) for kind in range(5)}
    return {
        "dagster/row_count": len(transactions),
        **{f"type_{kind}": count for kind, count in types.items()},
        "input_bytes": sum(row["input_len"] for row in transactions),
        "types": bars("transactions by type, 0 to 4", list(types.values())),
        "sample": preview(transactions, ("tx_hash", "tx_type", "sender", "to", "value_wei", "selector")),
    }


def decoded_as_logged(found: Decoded) -> dg.AssetCheckResult:
    """Say whether the store holds what the log decodes to."""
    if not found.transactions and not found.differing:
        return without_verdict(DECODED_EQUALS_LOG, "the window has no body")
    return dg.AssetCheckResult(
        check_name=DECODED_EQUALS_LOG,
        passed=not found.differing,
        metadata={"compared": len(found.transactions), "differing": len(found.differing)},
    )


def coverage(found: Coverage) -> dict[str, Any]:
    """Return what each lane saw of the window."""
    lanes = [
        {"lane": one.lane, "seen": one.seen, "exclusive": one.exclusive, "included": one.included}
        for one in found.lanes
    ]
    return {
        "dagster/row_count": len(found.rows),
        "lanes": preview(lanes, ("lane", "seen", "exclusive", "included")),
        "first_seen": bars("transactions seen, by lane", [one.seen for one in found.lanes]),
        "seen_before_slot": found.together.before_slot,
        "never_seen": found.together.never_seen,
    }
