"""Features as columns of the table `tx_features`."""

from collections.abc import Iterable, Mapping
from typing import Any

from mev_dagster.features.tx import TxFeatures


def tx_feature_columns(
    block_number: int, block_time_ns: int, features: Iterable[TxFeatures]
) -> Mapping[str, list[Any]]:
    """Return one row per pending transaction."""
    rows = sorted(features, key=lambda row: row.tx_hash)
    calls = [row.call for row in rows]
    return {
        "block_number": [block_number] * len(rows),
        "block_time": [block_time_ns] * len(rows),
        "tx_hash": [row.tx_hash for row in rows],
        "sender": [row.sender for row in rows],
        "method": [call.method if call else "" for call in calls],
        "venue": [call.protocol if call else "" for call in calls],
        "router": [row.router for row in rows],
        "path": [list(call.path) if call else [] for call in calls],
        "exact_input": [call.exact_input if call else None for call in calls],
        "amount_in": [call.amount_in if call else None for call in calls],
        "amount_out": [call.amount_out if call else None for call in calls],
        "swap_recipient": [call.recipient if call else None for call in calls],
        "deadline": [call.deadline if call else None for call in calls],
        "effective_gas_price_wei": [row.gas_price_wei for row in rows],
        "priority_fee_per_gas_wei": [row.priority_fee_wei for row in rows],
        "fee_rank": [row.fee_rank for row in rows],
        "nonce_gap": [row.nonce_gap for row in rows],
        "age_ns": [row.age_ns for row in rows],
        "sightings": [row.sightings for row in rows],
    }
