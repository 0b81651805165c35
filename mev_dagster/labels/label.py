"""All labels of a block, with one kind per transaction where kinds overlap."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mev_dagster.labels.arbitrage import Arbitrage, arbitrages_in
from mev_dagster.labels.jit import JitLiquidity, jit_in
from mev_dagster.labels.landed import LandedBlock
from mev_dagster.labels.liquidation import Liquidation, liquidations_in
from mev_dagster.labels.sandwich import Sandwich, sandwiches_in
from mev_dagster.labels.swaps import LandedSwap, swaps_in


class LabelKind(StrEnum):
    """What a label says of its transactions."""

    SANDWICH = "sandwich"
    JIT = "jit"
    LIQUIDATION = "liquidation"
    ARBITRAGE = "arbitrage"


PRECEDENCE: tuple[LabelKind, ...] = (
    LabelKind.SANDWICH,
    LabelKind.JIT,
    LabelKind.LIQUIDATION,
    LabelKind.ARBITRAGE,
)
"""A transaction that takes part in an earlier kind is not labelled as a later one.

A sandwich's back-run often closes a cycle, and a liquidator sells what it seized: neither is an arbitrage.
"""


@dataclass(frozen=True, slots=True)
class BlockLabels:
    """What landed in one block."""

    block: LandedBlock
    swaps: tuple[LandedSwap, ...]
    arbitrages: tuple[Arbitrage, ...]
    sandwiches: tuple[Sandwich, ...]
    liquidations: tuple[Liquidation, ...]
    jit: tuple[JitLiquidity, ...]

    def kinds_of(self, tx_hash: bytes) -> tuple[LabelKind, ...]:
        """Return the kinds of the labels whose own transactions include this one."""
        return tuple(kind for kind in PRECEDENCE if tx_hash in self.own_txs(kind))

    def own_txs(self, kind: LabelKind) -> frozenset[bytes]:
        """Return the transactions of whoever earned the labels of a kind; victims are not among them."""
        return frozenset(self._own_txs()[kind])

    def _own_txs(self) -> Mapping[LabelKind, list[bytes]]:
        return {
            LabelKind.SANDWICH: [
                swap.tx_hash for found in self.sandwiches for swap in (found.frontrun, found.backrun)
            ],
            LabelKind.JIT: [
                tx_hash for found in self.jit for tx_hash in (found.mint_tx_hash, found.burn_tx_hash)
            ],
            LabelKind.LIQUIDATION: [found.tx_hash for found in self.liquidations],
            LabelKind.ARBITRAGE: [found.tx_hash for found in self.arbitrages],
        }


def label_block(block: LandedBlock) -> BlockLabels:
    """Label one block."""
    swaps = swaps_in(block)
    every = BlockLabels(
        block=block,
        swaps=swaps,
        arbitrages=tuple(arbitrages_in(block, swaps)),
        sandwiches=tuple(sandwiches_in(block, swaps)),
        liquidations=tuple(liquidations_in(block)),
        jit=tuple(jit_in(block, swaps)),
    )
    return _with_precedence(every)


def _with_precedence(every: BlockLabels) -> BlockLabels:
    taken: dict[LabelKind, frozenset[bytes]] = {}
    before: frozenset[bytes] = frozenset()
    for kind in PRECEDENCE:
        taken[kind] = before
        before |= every.own_txs(kind)
    return BlockLabels(
        block=every.block,
        swaps=every.swaps,
        arbitrages=tuple(a for a in every.arbitrages if a.tx_hash not in taken[LabelKind.ARBITRAGE]),
        sandwiches=every.sandwiches,
        liquidations=tuple(
            one for one in every.liquidations if one.tx_hash not in taken[LabelKind.LIQUIDATION]
        ),
        jit=tuple(one for one in every.jit if one.mint_tx_hash not in taken[LabelKind.JIT]),
    )
