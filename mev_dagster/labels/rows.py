"""Labels as columns of the tables `mev_labels` and `label_runs`."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.value import Label
from mev_dagster.units import NS_PER_SECOND


def mev_label_columns(labels: BlockLabels) -> Mapping[str, list[Any]]:
    """Return one row per label of a block."""
    found = labels.labels
    return {
        "block_number": [labels.block.number] * len(found),
        "block_time": [labels.block.timestamp * NS_PER_SECOND] * len(found),
        "block_hash": [labels.block.hash] * len(found),
        "kind": [label.kind for label in found],
        "position": list(_positions(found)),
        "tx_hashes": [list(label.tx_hashes) for label in found],
        "victim_hashes": [list(label.victim_hashes) for label in found],
        "beneficiary": [label.beneficiary for label in found],
        "venues": [list(label.venues) for label in found],
        "profit_tokens": [[token for token, _ in label.profit] for label in found],
        "profit_amounts": [[amount for _, amount in label.profit] for label in found],
        "gas_cost_wei": [label.costs.gas_wei for label in found],
        "coinbase_payment_wei": [label.costs.coinbase_wei for label in found],
        "net_wei": [label.net_wei for label in found],
        "detail": [_detail(label) for label in found],
    }


def label_run_columns(labels: BlockLabels) -> Mapping[str, list[Any]]:
    """Return the row that says a block was labelled."""
    return {
        "block_number": [labels.block.number],
        "block_time": [labels.block.timestamp * NS_PER_SECOND],
        "block_hash": [labels.block.hash],
        "wrapped_ether": [labels.block.wrapped_ether],
        "labels": [len(labels.labels)],
    }


def _detail(label: Label) -> str:
    """Return under which kind a search would have proposed it, which is what a score asks for."""
    return json.dumps({"opportunity": label.opportunity}) if label.opportunity else ""


def _positions(found: Iterable[Label]) -> Iterator[int]:
    seen: Counter[str] = Counter()
    for label in found:
        yield seen[label.kind]
        seen[label.kind] += 1
