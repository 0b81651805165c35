"""The evidence for one transaction: what moved, who holds more afterwards, and why it is labelled so."""

from typing import Any

from rich.console import Console
from rich.tree import Tree

from mev_dagster.hexadecimal import to_hex
from mev_dagster.labels.flow import Movement, balances
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.landed import LandedTx
from mev_dagster.labels.swaps import LandedSwap, swap_to_json
from mev_dagster.labels.value import Label
from mev_dagster.labels.view import LandedView

MOST_BRANCHES = 400
"""Movements drawn of one transaction."""


def explain(labels: BlockLabels, tx_hash: bytes) -> dict[str, Any] | None:
    """Return the evidence as one document; None where the block has no such transaction."""
    landed = _landed(labels, tx_hash)
    if landed is None:
        return None
    moved = _moved(labels, landed)
    return {
        "tx_hash": tx_hash,
        "block": labels.block.number,
        "index": landed.index,
        "labels": list(labels.kinds_of(tx_hash)),
        "why": [label.why for label in labels.labels if tx_hash in label.tx_hashes],
        "swaps": [swap_to_json(swap) for swap in labels.swaps if swap.tx_hash == tx_hash],
        "movements": [movement._asdict() for movement in moved],
        "flows": [
            {"holder": holder, "token": token, "amount": amount}
            for holder, changes in sorted(balances(moved).items())
            for token, amount in sorted(changes.items())
        ],
        "gas_cost_wei": landed.gas_cost_wei,
        "coinbase_payment_wei": landed.direct_payment_wei,
    }


def print_explained(console: Console, labels: BlockLabels, tx_hash: bytes) -> None:
    """Draw the flow as a tree: under each account what it gave to whom, then what everybody holds more."""
    landed = _landed(labels, tx_hash)
    if landed is None:
        return
    moved = _moved(labels, landed)
    tree = Tree(f"{to_hex(tx_hash)}  block {labels.block.number}, position {landed.index}")
    for label in labels.labels:
        if tx_hash in label.tx_hashes:
            _draw_label(tree, label)
    flow = tree.add("what moved")
    givers: dict[bytes, Tree] = {}
    for movement in moved[:MOST_BRANCHES]:
        if movement.sender not in givers:
            givers[movement.sender] = flow.add(_named(movement.sender, labels, landed))
        to = _named(movement.recipient, labels, landed)
        givers[movement.sender].add(f"{movement.amount} {_token(movement.token, labels)} → {to}")
    if len(moved) > MOST_BRANCHES:
        flow.add(f"and {len(moved) - MOST_BRANCHES} more")
    after = tree.add("who holds more or less afterwards")
    for holder, changes in sorted(balances(moved).items()):
        if changes:
            own = after.add(_named(holder, labels, landed))
            for token, amount in sorted(changes.items()):
                own.add(f"{amount:+} {_token(token, labels)}")
    tree.add(f"paid {landed.gas_cost_wei} wei of gas, {landed.direct_payment_wei} wei to the coinbase")
    console.print(tree, soft_wrap=True)


def _draw_label(tree: Tree, label: Label) -> None:
    branch = tree.add(f"{label.kind} ({label.confidence}): {label.why}")
    for token, amount in label.profit:
        branch.add(f"{amount:+} of {to_hex(token)}")
    net = "has no price in ether" if label.net_wei is None else f"{label.net_wei} wei"
    branch.add(f"costs {label.costs.total_wei} wei, net {net}")
    for victim in label.victims:
        who = to_hex(victim.tx_hash) if victim.tx_hash else to_hex(victim.account)
        lost = ", ".join(f"{amount} of {to_hex(token)}" for token, amount in victim.loss) or "not told"
        branch.add(f"victim {who}, loss {lost}")


def _landed(labels: BlockLabels, tx_hash: bytes) -> LandedTx | None:
    return next((found for found in labels.block.txs if found.tx.hash == tx_hash), None)


def _moved(labels: BlockLabels, landed: LandedTx) -> tuple[Movement, ...]:
    return LandedView(labels.block, labels.swaps).flow_of(landed.index).movements


def _named(account: bytes, labels: BlockLabels, landed: LandedTx) -> str:
    pools: dict[bytes, LandedSwap] = {s.pool: s for s in labels.swaps if s.tx_index == landed.index}
    if account == landed.tx.sender:
        return f"{to_hex(account)} (sender)"
    if account == landed.tx.to:
        return f"{to_hex(account)} (called)"
    return f"{to_hex(account)} ({pools[account].protocol})" if account in pools else to_hex(account)


def _token(token: bytes, labels: BlockLabels) -> str:
    return "wei" if token == labels.block.wrapped_ether else f"of {to_hex(token)}"
