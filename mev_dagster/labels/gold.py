"""Facts about blocks that people asserted by hand: each holds of our labels or does not."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from mev_dagster.errors import InputError
from mev_dagster.evm.block_files import read_document as read_json
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.labels.decided import DECIDED, Decisions
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.score import SWAPS, is_read_by_silver
from mev_dagster.labels.value import Label

GOLD_FILES = "*_gold.json"
Fact: TypeAlias = Mapping[str, Any]


class Gold(NamedTuple):
    """How many facts there are about the labelled blocks, and how many of them our labels bear out."""

    expected: int
    found: int
    missed: tuple[str, ...] = ()


def read_gold(folder: Path) -> list[tuple[int, Fact]]:
    """Return the facts of a labels folder with the blocks they are about; a folder without any has none."""
    found: list[tuple[int, Fact]] = []
    for path in sorted(folder.glob(GOLD_FILES)):
        try:
            found += _facts(read_json(path))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: {type(error).__name__}: {error}") from error
    return found


def _facts(document: Any) -> Iterable[tuple[int, Fact]]:
    if isinstance(document, dict):  # one block, each case a label
        number = int(document["block"])
        for case in document["cases"]:
            gross_wei = int(case["gross_profit_wei"])
            yield number, {"kind": case["kind"], "transaction_hash": case["tx_hash"], "gross_wei": gross_wei}
        return
    for case in document:
        for fact in case["expected"]:
            yield int(case["block_number"]), fact


def judge(
    labelled: Iterable[BlockLabels], facts: Iterable[tuple[int, Fact]], decisions: Decisions = DECIDED
) -> Gold:
    """Count the facts about the labelled blocks, and those that hold."""
    by_number = {labels.block.number: labels for labels in labelled}
    about_us = [(by_number[number], fact) for number, fact in facts if number in by_number]
    missed = tuple(_said(labels, fact) for labels, fact in about_us if not holds(fact, labels, decisions))
    return Gold(len(about_us), len(about_us) - len(missed), missed)


def _said(labels: BlockLabels, fact: Fact) -> str:
    about = fact.get("transaction_hash", "the whole block")
    return f"block {labels.block.number}: {fact.get('kind')} of {about}"


def holds(fact: Fact, labels: BlockLabels, decisions: Decisions = DECIDED) -> bool:
    """Say whether our labels bear out one fact; a kind of fact we do not know does not hold."""
    kind = fact.get("kind")
    if kind == "counts":
        counts = _counts(labels, decisions)
        return all(counts.get(what) == count for what, count in fact.items() if what != "kind")
    tx_hash = from_hex(str(fact["transaction_hash"]))
    if kind == "swap":
        wanted = (fact["token_in_amount"], fact["token_out_amount"])
        return any(s.tx_hash == tx_hash and (s.amount_in, s.amount_out) == wanted for s in labels.swaps)
    if fact.get("error"):  # what was tried and undone
        kind = f"failed_{kind}"
    return any(
        label.kind == kind and tx_hash in label.tx_hashes and _agrees(fact, label, labels)
        for label in labels.labels
    )


def _counts(labels: BlockLabels, decisions: Decisions) -> Mapping[str, int]:
    """Count as the inspector does whose facts these are.

    It counts what was undone, reads some venues only, and lacks what is decided to be ours alone.
    """
    swaps = (*labels.swaps, *labels.attempted_swaps)
    counts = {**labels.counts(), SWAPS: sum(1 for swap in swaps if is_read_by_silver(swap))}
    counts["arbitrages"] = counts.get("arbitrages", 0) + counts.get("failed_arbitrages", 0)
    alone = decisions.ours_alone(labels.block.number)
    return {what: count - alone.get(what, 0) for what, count in counts.items()}


def _agrees(fact: Fact, label: Label, labels: BlockLabels) -> bool:
    if "profit_amount" in fact:
        return (from_hex(fact["profit_token_address"]), fact["profit_amount"]) in label.profit
    if "gross_wei" in fact:
        return (labels.block.wrapped_ether, fact["gross_wei"]) in label.profit
    if "liquidated_user" in fact:
        return fact["liquidated_user"] in {to_hex(victim.account) for victim in label.victims}
    return True
