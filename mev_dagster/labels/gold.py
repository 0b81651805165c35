"""Facts about blocks that people asserted by hand: each holds of our labels or does not."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from mev_dagster.captures.importers import read_json
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import from_hex
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.value import Label

GOLD_FILE = "mev_inspect_gold.json"
Fact: TypeAlias = Mapping[str, Any]


class Gold(NamedTuple):
    """How many facts there are about the labelled blocks, and how many of them our labels bear out."""

    expected: int
    found: int


def read_gold(folder: Path) -> list[tuple[int, Fact]]:
    """Return the facts of a labels folder with the blocks they are about; a folder without any has none."""
    path = folder / GOLD_FILE
    if not path.exists():
        return []
    try:
        return [(int(case["block_number"]), fact) for case in read_json(path) for fact in case["expected"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from error


def judge(labelled: Iterable[BlockLabels], facts: Iterable[tuple[int, Fact]]) -> Gold:
    """Count the facts about the labelled blocks, and those that hold."""
    by_number = {labels.block.number: labels for labels in labelled}
    about_us = [(by_number[number], fact) for number, fact in facts if number in by_number]
    return Gold(len(about_us), sum(holds(fact, labels) for labels, fact in about_us))


def holds(fact: Fact, labels: BlockLabels) -> bool:
    """Say whether our labels bear out one fact; a kind of fact we do not know does not hold."""
    kind = fact.get("kind")
    if kind == "counts":
        counts = {"swaps": len(labels.swaps), **labels.counts()}
        return all(counts.get(what) == count for what, count in fact.items() if what != "kind")
    tx_hash = from_hex(str(fact["transaction_hash"]))
    if kind == "swap":
        wanted = (fact["token_in_amount"], fact["token_out_amount"])
        return any(s.tx_hash == tx_hash and (s.amount_in, s.amount_out) == wanted for s in labels.swaps)
    return any(
        label.kind == kind and tx_hash in label.tx_hashes and _agrees(fact, label) for label in labels.labels
    )


def _agrees(fact: Fact, label: Label) -> bool:
    if "profit_amount" in fact:
        return (from_hex(fact["profit_token_address"]), fact["profit_amount"]) in label.profit
    if "liquidated_user" in fact:
        return from_hex(fact["liquidated_user"]) in {victim.account for victim in label.victims}
    return True
