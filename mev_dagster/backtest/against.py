"""Two backtests of the same blocks, compared by candidate and by landed opportunity."""

from collections.abc import Mapping
from typing import Any

from mev_dagster.errors import InputError

COMPARED = ("rank", "expected_profit_wei", "simulated_profit_wei", "verified")


def against(now: Mapping[str, Any], before: Any) -> dict[str, Any]:
    """Return what changed since a run whose `mev backtest --json` is `before`; both as JSON reads them.

    Raises `InputError` where `before` is no such document.
    """
    if not isinstance(before, dict):
        raise InputError(f"expected the document of mev backtest --json, found {type(before).__name__}")
    new, old = _candidates(now), _candidates(before)
    met, was_met = _landed(now), _landed(before)
    changed = sorted(key for key in new.keys() & old.keys() if _compared(new[key]) != _compared(old[key]))
    return {
        "same": len(new.keys() & old.keys()) - len(changed),
        "added": [new[key] for key in sorted(new.keys() - old.keys())],
        "removed": [old[key] for key in sorted(old.keys() - new.keys())],
        "changed": [{"now": new[key], "before": old[key]} for key in changed],
        "labels": [
            {"block": key[0], "kind": key[1], "tx_hashes": key[2], "now": met[key], "before": was_met[key]}
            for key in sorted(met.keys() & was_met.keys())
            if met[key] != was_met[key]
        ],
        "pnl_wei": {"now": now["pnl_wei"], "before": before.get("pnl_wei")},
    }


def _candidates(document: Mapping[str, Any]) -> dict[tuple[int, str], dict[str, Any]]:
    try:
        return {(one["block"], one["opportunity_id"]): one for one in document["candidates"]}
    except (KeyError, TypeError) as missing:
        raise InputError(f"expected candidates with a block and an id, found none: {missing}") from missing


def _compared(candidate: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(candidate.get(key) for key in COMPARED)


def _landed(document: Mapping[str, Any]) -> dict[tuple[int, str, tuple[str, ...]], str]:
    """Return `found`, or the reason it was missed for, by the label's transactions."""
    try:
        return {
            (block["number"], match["kind"], tuple(match["tx_hashes"])): match["missed"] or "found"
            for block in document["report"]
            for match in block["landed"]
        }
    except (KeyError, TypeError) as missing:
        raise InputError(f"expected a report of landed opportunities, found none: {missing}") from missing
