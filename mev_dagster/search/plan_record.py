"""A plan as it is stored: what its row in `opportunities` does not say of it, as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.executor import SwapStep
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.search.identity import canonical_json
from mev_dagster.search.plan import Call, Item, OwnCall, Plan, SwapsCall


def to_record(plan: Plan) -> str:
    """Return the prize, the moves and the items of a plan; pending transactions by their hashes."""
    said = {"prize": [to_hex(part) for part in plan.prize], "moves": [to_hex(pool) for pool in plan.moves]}
    return canonical_json({**said, "items": [_written(item) for item in plan.items]}).decode()


def of_record(
    record: str, pending: Mapping[bytes, Transaction]
) -> tuple[tuple[Item, ...], tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the items, the prize and the moves again; `KeyError` for a transaction that is not `pending`."""
    said = json.loads(record)
    items = tuple(_read(item, pending) for item in said["items"])
    prize, moves = (tuple(from_hex(part) for part in said[name]) for name in ("prize", "moves"))
    return items, prize, moves


def _written(item: Item) -> Mapping[str, Any]:
    if isinstance(item, Transaction):
        return {"tx": to_hex(item.hash)}
    if isinstance(item, OwnCall):
        return {
            "to": to_hex(item.to),
            "calldata": to_hex(item.calldata),
            "gas_limit": item.gas_limit,
            "value_wei": item.value_wei,
            "least_gas": item.least_gas,
        }
    return {
        "executor": to_hex(item.executor),
        "steps": [
            [to_hex(part) if isinstance(part, bytes) else part for part in step] for step in item.steps
        ],
        "token": to_hex(item.token),
        "min_gain": item.min_gain,
        "value_wei": item.value_wei,
        "least_gas": item.least_gas,
    }


def _part(part: bytes | int) -> str | int:
    return to_hex(part) if isinstance(part, bytes) else part


def _read(said: Mapping[str, Any], pending: Mapping[bytes, Transaction]) -> Item:
    if "tx" in said:
        return pending[from_hex(said["tx"])]
    return _call(said)


def _call(said: Mapping[str, Any]) -> Call:
    if "executor" not in said:
        bytes_of = {name: from_hex(said[name]) for name in ("to", "calldata")}
        return OwnCall(**{**said, **bytes_of})
    steps = tuple(
        SwapStep(from_hex(pair), from_hex(token), paid, amount0, amount1, from_hex(to))
        for pair, token, paid, amount0, amount1, to in said["steps"]
    )
    bytes_of = {name: from_hex(said[name]) for name in ("executor", "token")}
    return SwapsCall(**{**said, **bytes_of, "steps": steps})
