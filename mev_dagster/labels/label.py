"""All labels of a block: every inspector sees it, then precedence decides where kinds overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.inspectors import inspectors
from mev_dagster.labels.landed import LandedBlock
from mev_dagster.labels.precedence import PAIRS, kept, winners
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.value import Label
from mev_dagster.labels.view import view_of


@dataclass(frozen=True, slots=True)
class BlockLabels:
    """What landed in one block, and who looked. Labels stand by kind, each kind in the block's order."""

    block: LandedBlock
    swaps: tuple[LandedSwap, ...]
    inspectors: tuple[Inspector, ...]
    labels: tuple[Label, ...]

    def of(self, kind: str) -> tuple[Label, ...]:
        """Return the labels of one kind."""
        return tuple(label for label in self.labels if label.kind == kind)

    def kinds_of(self, tx_hash: bytes) -> tuple[str, ...]:
        """Return the kinds of the labels whose own transactions include this one."""
        return tuple(dict.fromkeys(label.kind for label in self.labels if tx_hash in label.tx_hashes))

    def counts(self) -> dict[str, int]:
        """Return how many labels of each kind there are, by the kinds' plurals."""
        return {inspector.plural: len(self.of(inspector.kind)) for inspector in self.inspectors}


def label_block(block: LandedBlock, using: Sequence[Inspector] | None = None) -> BlockLabels:
    """Label one block with the inspectors given, else with all there are."""
    looking = tuple(inspectors() if using is None else using)
    view = view_of(block)
    found = [label for inspector in looking for label in inspector.find(view)]
    pairs = (*PAIRS, *((wins, one.kind) for one in looking for wins in one.yields_to))
    return BlockLabels(block, view.swaps, looking, kept(found, winners(pairs)))
