"""How our labels compare with those of another inspector on the same blocks.

Silver labels are the output of flashbots/mev-inspect-py: a reference, not the truth. Only what both can see
is compared: V2 and V3 swaps, arbitrages and sandwiches made of nothing else, liquidations.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from mev_dagster.captures.importers import read_json
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.labels.label import BlockLabels

SILVER_FILE = "blocks_prestate_labels.json.zst"
KINDS = ("swaps", "arbitrages", "sandwiches", "liquidations")
_COMPARED = frozenset({"uniswap_v2", "uniswap_v3"})

Key: TypeAlias = tuple[str, ...]
Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of one kind; `tp` counts what was expected and found."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def precision(self) -> float | None:
        """Return the share of what was found that was expected; None where nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Return the share of what was expected that was found; None where nothing was expected."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One label that only one side has: `ours` or `silver`. `why` says so where the receipts settle it."""

    block: int
    kind: str
    side: str
    key: Key
    why: str


@dataclass(slots=True)
class Score:
    """The comparison over all scored blocks."""

    blocks: int = 0
    silver: dict[str, Agreement] = field(default_factory=lambda: dict.fromkeys(KINDS, Agreement()))
    disagreements: list[Disagreement] = field(default_factory=list)


def read_silver(folder: Path) -> Mapping[int, Json]:
    """Return the silver labels of a fixtures folder by block number."""
    path = folder / SILVER_FILE
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        return {int(number): labels for number, labels in read_json(path)["blocks"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from error


def score(labelled: Iterable[BlockLabels], silver: Mapping[int, Json]) -> Score:
    """Compare every labelled block that the silver labels cover."""
    result = Score()
    for labels in labelled:
        theirs = silver.get(labels.block.number)
        if theirs is None:
            continue
        result.blocks += 1
        for kind in KINDS:
            _compare(result, labels, kind, _theirs(theirs, kind))
    return result


def _compare(result: Score, labels: BlockLabels, kind: str, theirs: "_Silver") -> None:
    own, other = Counter(_ours(labels, kind)), Counter(theirs.comparable)
    reverted = {_in_hex(landed.tx.hash)[0] for landed in labels.block.txs if not landed.succeeded}
    beyond = Counter({key: count for key, count in (own - other).items() if key not in theirs.beyond_us})
    both, missed = own & other, other - own
    result.silver[kind] += Agreement(both.total(), beyond.total(), missed.total())
    for side, keys in (("ours", beyond), ("silver", missed)):
        result.disagreements.extend(
            Disagreement(
                labels.block.number,
                kind,
                side,
                key,
                "the transaction reverted, so nothing was swapped" if key[0] in reverted else "",
            )
            for key in sorted(keys.elements())
        )


def _ours(labels: BlockLabels, kind: str) -> list[Key]:
    if kind == "swaps":
        return [_in_hex(s.tx_hash, s.pool, s.token_in, s.token_out) for s in labels.swaps]
    if kind == "arbitrages":
        return [_in_hex(a.tx_hash) for a in labels.arbitrages]
    if kind == "sandwiches":
        return [_in_hex(s.frontrun.tx_hash, s.backrun.tx_hash, s.frontrun.pool) for s in labels.sandwiches]
    return [_in_hex(one.tx_hash, one.borrower) for one in labels.liquidations]


@dataclass(frozen=True, slots=True)
class _Silver:
    """Labels to be found, and those made partly on venues we do not read: to find these is no error."""

    comparable: list[Key]
    beyond_us: frozenset[Key]


def _theirs(labels: Json, kind: str) -> _Silver:
    if kind == "swaps":
        return _Silver([_swap_key(s) for s in labels["swaps"] if s["protocol"] in _COMPARED], frozenset())
    if kind == "arbitrages":
        keys = {_key(a["transaction_hash"]): _all_compared(a["swaps"]) for a in labels["arbitrages"]}
    elif kind == "sandwiches":
        keys = {
            _key(
                s["frontrun_swap"]["transaction_hash"],
                s["backrun_swap"]["transaction_hash"],
                s["frontrun_swap"]["contract_address"],
            ): _all_compared([s["frontrun_swap"], s["backrun_swap"]])
            for s in labels["sandwiches"]
        }
    else:
        keys = {_key(one["transaction_hash"], one["liquidated_user"]): True for one in labels["liquidations"]}
    return _Silver(
        [key for key, compared in keys.items() if compared],
        frozenset(key for key, compared in keys.items() if not compared),
    )


def _swap_key(swap: Json) -> Key:
    return _key(
        swap["transaction_hash"],
        swap["contract_address"],
        swap["token_in_address"],
        swap["token_out_address"],
    )


def _key(*parts: str) -> Key:
    return parts


def _all_compared(swaps: Iterable[Json]) -> bool:
    return all(swap["protocol"] in _COMPARED for swap in swaps)


def _in_hex(*values: bytes) -> Key:
    return tuple(to_hex(value) for value in values)
