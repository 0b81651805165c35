"""Facts about blocks that people asserted by hand: each holds of our labels or does not."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from mev_dagster.captures.importers import read_json
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import from_hex
from mev_dagster.labels.label import BlockLabels

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
        return (fact["swaps"], fact["arbitrages"]) == (len(labels.swaps), len(labels.arbitrages))
    tx_hash = from_hex(str(fact["transaction_hash"]))
    if kind == "swap":
        wanted = (fact["token_in_amount"], fact["token_out_amount"])
        return any(s.tx_hash == tx_hash and (s.amount_in, s.amount_out) == wanted for s in labels.swaps)
    if kind == "arbitrage" and "profit_amount" in fact:
        kept = (from_hex(fact["profit_token_address"]), fact["profit_amount"])
        return any(a.tx_hash == tx_hash and kept in a.profit for a in labels.arbitrages)
    if kind == "arbitrage":
        return any(a.tx_hash == tx_hash for a in labels.arbitrages)
    if kind == "liquidation":
        user = from_hex(fact["liquidated_user"])
        return any(one.tx_hash == tx_hash and one.borrower == user for one in labels.liquidations)
    return False
