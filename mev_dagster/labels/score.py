"""How our labels compare with those of another inspector on the same blocks.

Silver labels are the output of flashbots/mev-inspect-py: a reference, not the truth. All of them are
compared; of our swaps those on protocols that it reads too. Ether counts as its wrapped form on both sides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mev_dagster.errors import InputError
from mev_dagster.evm.block_files import read_document as read_json
from mev_dagster.hexadecimal import to_hex
from mev_dagster.labels.decided import DECIDED, Decisions
from mev_dagster.labels.flow import ETHER_AS_TOKEN
from mev_dagster.labels.inspector import Json, Key, hexes
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.swaps import LandedSwap

SILVER_FILES = ("*_labels.json", "*_silver.json", "*_labels.json.zst", "*_silver.json.zst")
SWAPS = "swaps"
_ETHER = "0x" + "ee" * 20
"""How it writes ether."""
_UNDECIDED = ("", "")
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
    """One label that only one side has: `ours` or `silver`; `right` is the side that holds, and `why`.

    Both are empty where nobody decided.
    """

    block: int
    kind: str
    side: str
    key: Key
    right: str = ""
    why: str = ""


@dataclass(slots=True)
class Score:
    """The comparison over all scored blocks."""

    blocks: int = 0
    silver: dict[str, Agreement] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def undecided(self) -> int:
        """Return how many disagreements nobody decided."""
        return sum(1 for one in self.disagreements if not one.right)

    def decided(self, kind: str) -> Agreement:
        """Return the counts of a kind without what is decided for us; what we are wrong about stays."""
        found = self.silver[kind]
        ours = [one for one in self.disagreements if one.kind == kind and one.right == "ours"]
        extra = sum(1 for one in ours if one.side == "ours")
        return Agreement(found.tp, found.fp - extra, found.fn - (len(ours) - extra))


def is_read_by_silver(swap: LandedSwap) -> bool:
    """Say whether a swap is on a venue that the other inspector reads too."""
    return swap.protocol in _READ_BY_SILVER


def read_silver(folder: Path) -> Mapping[int, Json]:
    """Return the silver labels of a fixtures folder by block number."""
    paths = sorted(path for shape in SILVER_FILES for path in folder.glob(shape))
    if not paths:
        raise InputError(f"{folder}: no file of silver labels ({', '.join(SILVER_FILES)})")
    found: dict[int, Json] = {}
    for path in paths:
        try:
            found.update({int(number): labels for number, labels in read_json(path)["blocks"].items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: {type(error).__name__}: {error}") from error
    return found


def score(
    labelled: Iterable[BlockLabels], silver: Mapping[int, Json], decisions: Decisions = DECIDED
) -> Score:
    """Compare every labelled block that the silver labels cover."""
    result = Score()
    for labels in labelled:
        theirs = silver.get(labels.block.number)
        if theirs is None:
            continue
        result.blocks += 1
        own_swaps = [
            hexes(s.tx_hash, s.pool, s.token_in, s.token_out) for s in labels.swaps if is_read_by_silver(s)
        ]
        told_swaps = [_swap_key(swap) for swap in theirs["swaps"]]
        _compare(result, labels, SWAPS, own_swaps, told_swaps, decisions)
        for inspector in labels.inspectors:
            entries = theirs.get(inspector.plural, ())
            # The same label told twice is one.
            told = dict.fromkeys(one.key for entry in entries if (one := inspector.told(entry)))
            own = [key for label in labels.of(inspector.kind) for key in inspector.keys(label)]
            if own or told:
                _compare(result, labels, inspector.plural, own, list(told), decisions)
    return result


def _compare(
    result: Score,
    labels: BlockLabels,
    kind: str,
    ours: list[Key],
    theirs: list[Key],
    decisions: Decisions,
) -> None:
    wrapped = to_hex(labels.block.wrapped_ether or ETHER_AS_TOKEN)
    own = Counter(ours)
    other = Counter(tuple(wrapped if part == _ETHER else part for part in key) for key in theirs)
    both, beyond, missed = own & other, own - other, other - own
    counts = Agreement(both.total(), beyond.total(), missed.total())
    result.silver[kind] = result.silver.get(kind, Agreement()) + counts
    for side, keys in (("ours", beyond), ("silver", missed)):
        for key in sorted(keys.elements()):
            reason = decisions.why((labels.block.number, kind, side, key)) or _UNDECIDED
            result.disagreements.append(Disagreement(labels.block.number, kind, side, key, *reason))


def _swap_key(swap: Json) -> Key:
    return (
        swap["transaction_hash"],
        swap["contract_address"],
        swap["token_in_address"],
        swap["token_out_address"],
    )
