"""Which blocks are canonical, as far as the log knows: a pure fold over the heads in the order they came."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mev_dagster.events.types import BlockReverted, BlockSeen, Event

# Twice the depth that two finalised epochs of 32 slots allow a reorg to have.
BLOCKS_REMEMBERED = 128


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by number and hash."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Extension:
    """What adding one block changed. `reverted` is newest first; `missing` counts blocks never shown."""

    duplicate: bool = False
    reverted: tuple[BlockRef, ...] = ()
    missing: int = 0


class CanonicalChain:
    """The last canonical blocks, oldest first."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[bytes, BlockRef] = OrderedDict()
        self._tip: BlockRef | None = None

    @property
    def tip(self) -> BlockRef | None:
        """The newest canonical block, None before the first."""
        return self._tip

    def __contains__(self, block_hash: bytes) -> bool:
        return block_hash in self._blocks

    def __len__(self) -> int:
        return len(self._blocks)

    def extend(self, block: BlockRef, parent_hash: bytes) -> Extension:
        """Make `block` the tip and say which blocks that reverts and how many must lie between.

        A parent that is canonical reverts everything above it. A parent that is unknown reverts what
        cannot be an ancestor by its number, and the parent's own height when another block stands there.
        """
        if block.hash in self._blocks:
            return Extension(duplicate=True)
        if self._tip is None:
            self._append(block)
            return Extension()
        if parent_hash in self._blocks:
            reverted = self._revert_while(lambda tip: tip.hash != parent_hash)
            missing = 0
        else:
            reverted = self._revert_while(lambda tip: tip.number >= block.number - 1)
            missing = block.number - 1 - self._tip.number if self._tip else min(block.number, 1)
        self._append(block)
        return Extension(reverted=reverted, missing=missing)

    def replay(self, events: Iterable[Event]) -> None:
        """Fold logged heads and reverts in, as they were decided when they were logged."""
        for event in events:
            if isinstance(event, BlockSeen):
                self._append(BlockRef(event.number, event.block_hash))
            elif isinstance(event, BlockReverted):
                self._drop(event.block_hash)

    def copy(self) -> "CanonicalChain":
        """Return an independent chain with the same blocks."""
        twin = CanonicalChain()
        twin._blocks = self._blocks.copy()
        twin._tip = self._tip
        return twin

    def _append(self, block: BlockRef) -> None:
        self._blocks[block.hash] = block
        self._tip = block
        if len(self._blocks) > BLOCKS_REMEMBERED:
            self._blocks.popitem(last=False)

    def _drop(self, block_hash: bytes) -> None:
        self._blocks.pop(block_hash, None)
        self._tip = next(reversed(self._blocks.values()), None)

    def _revert_while(self, not_ancestor: Callable[[BlockRef], bool]) -> tuple[BlockRef, ...]:
        reverted = []
        while self._tip is not None and not_ancestor(self._tip):
            reverted.append(self._tip)
            self._drop(self._tip.hash)
        return tuple(reverted)
