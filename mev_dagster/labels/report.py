"""Labels for a reader: the JSON of `mev label`, its table, and the evidence for one transaction."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mev_dagster.dex.erc20 import transfers_of
from mev_dagster.labels.gold import Gold
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.score import Score
from mev_dagster.labels.swaps import LandedSwap

Json = dict[str, Any]
Profit = Sequence[tuple[bytes, int]]


def labels_to_json(labels: BlockLabels) -> Json:
    """Return the labels of one block."""
    return {
        "number": labels.block.number,
        "swaps": [swap_to_json(swap) for swap in labels.swaps],
        "arbitrages": [
            {
                "tx_hashes": [found.tx_hash],
                "profit": _profit(found.profit),
                "net_wei": found.net_wei,
                "beneficiary": found.beneficiary,
                "pools": [swap.pool for swap in found.swaps],
                "moved_by": found.moved_by,
            }
            for found in labels.arbitrages
        ],
        "sandwiches": [
            {
                "frontrun": swap_to_json(found.frontrun),
                "victims": [swap_to_json(swap) for swap in found.victims],
                "backrun": swap_to_json(found.backrun),
                "attacker": found.attacker,
                "pool": found.frontrun.pool,
                "profit": _profit(found.profit),
                "net_wei": found.net_wei,
            }
            for found in labels.sandwiches
        ],
        "liquidations": [
            {
                "tx_hash": found.tx_hash,
                "protocol": found.protocol,
                "liquidator": found.liquidator,
                "borrower": found.borrower,
                "debt": {"token": found.debt_token, "amount": found.debt_repaid},
                "collateral": {"token": found.collateral_token, "amount": found.collateral_seized},
            }
            for found in labels.liquidations
        ],
        "jit": [
            {
                "mint": found.mint_tx_hash,
                "burn": found.burn_tx_hash,
                "victims": [swap_to_json(swap) for swap in found.victims],
                "pool": found.pool,
                "owner": found.owner,
            }
            for found in labels.jit
        ],
    }


def swap_to_json(swap: LandedSwap) -> Json:
    """Return one swap."""
    return {
        "tx_hash": swap.tx_hash,
        "protocol": str(swap.protocol),
        "pool": swap.pool,
        "token_in": swap.token_in,
        "amount_in": swap.amount_in,
        "token_out": swap.token_out,
        "amount_out": swap.amount_out,
    }


def _profit(profit: Profit) -> list[Json]:
    return [{"token": token, "amount": amount} for token, amount in profit]


def score_to_json(score: Score, gold: Gold) -> Json:
    """Return the comparison with asserted facts and with another inspector."""
    return {
        "gold": {"expected": gold.expected, "found": gold.found},
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
        "disagreements": [
            {"block": one.block, "kind": one.kind, "side": one.side, "key": list(one.key), "why": one.why}
            for one in score.disagreements
        ],
    }


def explain(labels: BlockLabels, tx_hash: bytes) -> Json | None:
    """Return the evidence for one transaction: its swaps, who gained and lost what, and its labels."""
    landed = next((found for found in labels.block.txs if found.tx.hash == tx_hash), None)
    if landed is None:
        return None
    net: dict[tuple[bytes, bytes], int] = {}
    for transfer in transfers_of(landed.logs):
        for holder, amount in ((transfer.sender, -transfer.amount), (transfer.recipient, transfer.amount)):
            net[holder, transfer.token] = net.get((holder, transfer.token), 0) + amount
    return {
        "tx_hash": tx_hash,
        "block": labels.block.number,
        "index": landed.index,
        "labels": [str(kind) for kind in labels.kinds_of(tx_hash)],
        "swaps": [swap_to_json(swap) for swap in labels.swaps if swap.tx_hash == tx_hash],
        "flows": [
            {"holder": holder, "token": token, "amount": amount}
            for (holder, token), amount in sorted(net.items())
            if amount
        ],
        "gas_cost_wei": landed.gas_cost_wei,
    }


def print_labels(console: Console, labelled: Sequence[BlockLabels]) -> None:
    """Print one line per block with anything to say."""
    table = Table(box=None, padding=(0, 2))
    for title in ("block", "txs", "swaps", "arbitrages", "sandwiches", "liquidations", "JIT"):
        table.add_column(title, justify="right")
    for labels in labelled:
        if labels.swaps or labels.liquidations:
            counts = (labels.swaps, labels.arbitrages, labels.sandwiches, labels.liquidations, labels.jit)
            table.add_row(
                str(labels.block.number), str(len(labels.block.txs)), *(str(len(found)) for found in counts)
            )
    console.print(table)


def print_score(console: Console, score: Score) -> None:
    """Print precision and recall per kind, then each disagreement."""
    table = Table(box=None, padding=(0, 2), title=f"against silver labels, {score.blocks} blocks")
    for title in ("kind", "tp", "fp", "fn", "precision", "recall"):
        table.add_column(title, justify="left" if title == "kind" else "right")
    for kind, found in score.silver.items():
        shares = ("" if share is None else f"{share:.3f}" for share in (found.precision, found.recall))
        table.add_row(kind, str(found.tp), str(found.fp), str(found.fn), *shares)
    console.print(table)
    for one in score.disagreements:
        why = f" ({one.why})" if one.why else ""
        console.print(
            f"  block {one.block}: only {one.side} has {one.kind} {' '.join(one.key)}{why}", soft_wrap=True
        )
