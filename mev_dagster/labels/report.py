"""Labels for a reader: the JSON of `mev label`, and its table."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mev_dagster.labels.gold import Gold
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.score import Agreement, Score
from mev_dagster.labels.swaps import swap_to_json
from mev_dagster.labels.value import Amounts, Label

Json = dict[str, Any]


def labels_to_json(labels: BlockLabels) -> Json:
    """Return the labels of one block, each kind under its plural."""
    return {
        "number": labels.block.number,
        "lacks": [str(lack) for lack in labels.block.lacks],
        "swaps": [swap_to_json(swap) for swap in labels.swaps],
        "prices": [
            {"token": token, "amount": price.amount, "wei": price.wei, "through": price.through}
            for token, price in labels.prices
        ],
        "attempted_swaps": [swap_to_json(swap) for swap in labels.attempted_swaps],
        **{
            inspector.plural: [label_to_json(label) for label in labels.of(inspector.kind)]
            for inspector in labels.inspectors
        },
    }


def label_to_json(label: Label) -> Json:
    """Return one label: what every kind says, and what its own kind adds."""
    return {
        "tx_hashes": list(label.tx_hashes),
        "accounts": list(label.accounts),
        "beneficiary": label.beneficiary,
        "venues": list(label.venues),
        "victim_losses": [
            {"tx_hash": victim.tx_hash, "account": victim.account, "loss": _amounts(victim.loss)}
            for victim in label.victims
        ],
        "profit": _amounts(label.profit),
        "costs": {"gas_wei": label.costs.gas_wei, "coinbase_wei": label.costs.coinbase_wei},
        "net_wei": label.net_wei,
        "confidence": str(label.confidence),
        "why": label.why,
        **label.detail.to_json(),
    }


def _amounts(amounts: Amounts) -> list[Json]:
    return [{"token": token, "amount": amount} for token, amount in amounts]


def score_to_json(score: Score, gold: Gold) -> Json:
    """Return the comparison with asserted facts and with another inspector."""
    return {
        "gold": {"expected": gold.expected, "found": gold.found, "missed": list(gold.missed)},
        "silver": {
            kind: {
                "precision": agreement.precision,
                "recall": agreement.recall,
                "tp": agreement.tp,
                "fp": agreement.fp,
                "fn": agreement.fn,
            }
            for kind, agreement in score.silver.items()
        },
        "silver_decided": {kind: _shares(score.decided(kind)) for kind in score.silver},
        "undecided": score.undecided,
        "disagreements": [
            {
                "block": one.block,
                "kind": one.kind,
                "side": one.side,
                "key": list(one.key),
                "decided": bool(one.right),
                "right": one.right,
                "why": one.why,
            }
            for one in score.disagreements
        ],
    }


def _shares(found: Agreement) -> Json:
    return {"precision": found.precision, "recall": found.recall, "fp": found.fp, "fn": found.fn}


def print_labels(console: Console, labelled: Sequence[BlockLabels]) -> None:
    """Print one line per block with anything to say."""
    table = Table(box=None, padding=(0, 2))
    for title in ("block", "txs", "swaps", *labelled[0].counts()):
        table.add_column(title, justify="right")
    for labels in labelled:
        if labels.swaps or labels.labels:
            counts = (len(labels.block.txs), len(labels.swaps), *labels.counts().values())
            table.add_row(str(labels.block.number), *map(str, counts))
    console.print(table)


def print_score(console: Console, score: Score, gold: Gold) -> None:
    """Print precision and recall per kind, over all and as decided, then each disagreement."""
    table = Table(box=None, padding=(0, 2), title=f"against silver labels, {score.blocks} blocks")
    for title in ("kind", "tp", "fp", "fn", "precision", "recall", "precision decided", "recall decided"):
        table.add_column(title, justify="left" if title == "kind" else "right")
    for kind, found in score.silver.items():
        settled = score.decided(kind)
        every = (found.precision, found.recall, settled.precision, settled.recall)
        shares = ("" if share is None else f"{share:.3f}" for share in every)
        table.add_row(kind, str(found.tp), str(found.fp), str(found.fn), *shares)
    console.print(table)
    for one in score.disagreements:
        why = f"{one.right} right: {one.why}" if one.right else "undecided"
        console.print(
            f"  block {one.block}: only {one.side} has {one.kind} {' '.join(one.key)} ({why})", soft_wrap=True
        )
    console.print(f"{len(score.disagreements)} disagreements, {score.undecided} of them undecided")
    console.print(f"facts asserted by hand: {gold.found} of {gold.expected} found")
    for missed in gold.missed:
        console.print(f"  not found: {missed}", soft_wrap=True)
