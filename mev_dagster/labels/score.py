"""How our labels compare with those of another inspector on the same blocks.

Silver labels are the output of flashbots/mev-inspect-py: a reference, not the truth. All of them are
compared; of our swaps those on protocols that it reads too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mev_dagster.captures.importers import read_json
from mev_dagster.errors import InputError
from mev_dagster.labels.inspector import Json, Key, hexes
from mev_dagster.labels.label import BlockLabels

SILVER_FILE = "blocks_prestate_labels.json.zst"
SWAPS = "swaps"
_READ_BY_SILVER = frozenset({"uniswap_v2", "uniswap_v3", "balancer_v1", "curve", "0x", "bancor_v2"})


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
    silver: dict[str, Agreement] = field(default_factory=dict)
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
        own_swaps = [
            hexes(s.tx_hash, s.pool, s.token_in, s.token_out)
            for s in labels.swaps
            if s.protocol in _READ_BY_SILVER
        ]
        _compare(result, labels, SWAPS, own_swaps, [_swap_key(swap) for swap in theirs["swaps"]])
        for inspector in labels.inspectors:
            entries = theirs.get(inspector.plural, ())
            # The same label told twice is one.
            told = dict.fromkeys(one.key for entry in entries if (one := inspector.told(entry)))
            own = [key for label in labels.of(inspector.kind) for key in inspector.keys(label)]
            if own or told:
                _compare(result, labels, inspector.plural, own, list(told))
    return result


def _compare(result: Score, labels: BlockLabels, kind: str, ours: list[Key], theirs: list[Key]) -> None:
    own, other = Counter(ours), Counter(theirs)
    reverted = {hexes(landed.tx.hash)[0] for landed in labels.block.txs if not landed.succeeded}
    both, beyond, missed = own & other, own - other, other - own
    counts = Agreement(both.total(), beyond.total(), missed.total())
    result.silver[kind] = result.silver.get(kind, Agreement()) + counts
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


def _swap_key(swap: Json) -> Key:
    return (
        swap["transaction_hash"],
        swap["contract_address"],
        swap["token_in_address"],
        swap["token_out_address"],
    )
