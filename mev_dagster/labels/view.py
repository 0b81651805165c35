"""What an inspector is shown of a block."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mev_dagster.labels.flow import Balances, Movement, actor_of, balances, movements_of, speakers
from mev_dagster.labels.landed import LandedBlock
from mev_dagster.labels.pockets import out_of_pools
from mev_dagster.labels.swaps import LandedSwap, swaps_in
from mev_dagster.labels.value import Amounts, Costs


@dataclass(frozen=True, slots=True)
class TxFlow:
    """What one transaction moved, which contracts spoke, and who acted as one with its sender."""

    movements: tuple[Movement, ...]
    contracts: frozenset[bytes]
    held: Balances
    actor: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class LandedView:
    """A landed block and what was read from it once, for every inspector."""

    block: LandedBlock
    swaps: tuple[LandedSwap, ...]
    _flows: dict[int, TxFlow] = field(default_factory=dict, compare=False, repr=False)

    @property
    def ether(self) -> frozenset[bytes]:
        """Return the tokens that are ether: what wraps it in this block."""
        return frozenset({self.block.wrapped_ether} if self.block.wrapped_ether else ())

    def flow_of(self, index: int) -> TxFlow:
        """Return the flow of one transaction, worked out once."""
        if index not in self._flows:
            landed = self.block.txs[index]
            moved = out_of_pools(
                movements_of(landed.logs, landed.frames, self.block.wrapped_ether), self.swaps_of(index)
            )
            contracts, held = speakers(landed.logs), balances(moved)
            own = {landed.tx.sender, *([landed.tx.to] if landed.tx.to else [])}
            self._flows[index] = TxFlow(moved, contracts, held, actor_of(own, held, moved, contracts))
        return self._flows[index]

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
