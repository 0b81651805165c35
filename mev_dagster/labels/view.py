"""What an inspector is shown of a block."""

from collections.abc import Iterable
from dataclasses import dataclass

from mev_dagster.labels.landed import LandedBlock
from mev_dagster.labels.swaps import LandedSwap, swaps_in
from mev_dagster.labels.value import Amounts, Costs


@dataclass(frozen=True, slots=True)
class LandedView:
    """A landed block and what was read from it once, for every inspector."""

    block: LandedBlock
    swaps: tuple[LandedSwap, ...]

    @property
    def ether(self) -> frozenset[bytes]:
        """Return the tokens that are ether: what wraps it in this block."""
        return frozenset({self.block.wrapped_ether} if self.block.wrapped_ether else ())

    def swaps_of(self, index: int) -> tuple[LandedSwap, ...]:
        """Return the swaps of one transaction, in log order."""
        return tuple(swap for swap in self.swaps if swap.tx_index == index)

    @property
    def hashes(self) -> frozenset[bytes]:
        """Return the hashes of the block's transactions."""
        return frozenset(landed.tx.hash for landed in self.block.txs)

    def costs(self, tx_indices: Iterable[int]) -> Costs:
        """Return what some transactions paid, each counted once."""
        own = [self.block.txs[index] for index in sorted(set(tx_indices))]
        return Costs(
            sum(landed.gas_cost_wei for landed in own), sum(landed.direct_payment_wei for landed in own)
        )

    def net_wei(self, profit: Amounts, costs: Costs) -> int | None:
        """Return the profit after costs; None where some of it is no ether."""
        if [token for token, _ in profit] != [self.block.wrapped_ether]:
            return None
        return profit[0][1] - costs.total_wei


def view_of(block: LandedBlock) -> LandedView:
    """Read a block once."""
    return LandedView(block, swaps_in(block))
