"""What an inspector is shown of a block."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mev_dagster.dex.events import events_of
from mev_dagster.dex.venue_events import OrderFilled, SwapEvent
from mev_dagster.labels.attempts import attempts_in
from mev_dagster.labels.flow import Balances, Movement, actor_of, balances, movements_of, speakers
from mev_dagster.labels.landed import Lack, LandedBlock
from mev_dagster.labels.pockets import out_of_pools
from mev_dagster.labels.prices import Prices, prices_of
from mev_dagster.labels.swaps import LandedSwap, swaps_in
from mev_dagster.labels.value import Amounts, Costs


@dataclass(frozen=True, slots=True)
class TxFlow:
    """What one transaction moved, which contracts spoke, and who acted as one with its sender.

    `makers` signed orders that were filled in it; so many more did as `unnamed_makers`.
    """

    movements: tuple[Movement, ...]
    contracts: frozenset[bytes]
    held: Balances
    actor: frozenset[bytes]
    makers: frozenset[bytes] = frozenset()
    unnamed_makers: int = 0


@dataclass(frozen=True, slots=True)
class LandedView:
    """A landed block and what was read from it once, for every inspector."""

    block: LandedBlock
    swaps: tuple[LandedSwap, ...]
    _flows: dict[int, TxFlow] = field(default_factory=dict, compare=False, repr=False)
    _of_tx: dict[int, list[LandedSwap]] = field(default_factory=dict, compare=False, repr=False)
    _of_pool: dict[bytes, list[LandedSwap]] = field(default_factory=dict, compare=False, repr=False)
    _prices: list[Prices] = field(default_factory=list, compare=False, repr=False)
    _attempts: list["LandedView"] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        for swap in self.swaps:
            self._of_tx.setdefault(swap.tx_index, []).append(swap)
            self._of_pool.setdefault(swap.pool, []).append(swap)

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
            told = [event for _, event in events_of(landed.logs)]
            orders = [event for event in told if isinstance(event, OrderFilled)]
            settlements = {event.settlement for event in orders}
            quoted = {event.maker for event in told if isinstance(event, SwapEvent) and event.maker}
            makers = quoted | {event.maker for event in orders if event.maker}
            own = {landed.tx.sender, *([landed.tx.to] if landed.tx.to else [])} - settlements
            others = contracts | (makers - own)
            self._flows[index] = TxFlow(
                moved,
                contracts,
                held,
                actor_of(own, held, moved, others),
                frozenset(makers - own),
                sum(1 for event in orders if event.maker is None),
            )
        return self._flows[index]

    @property
    def attempts(self) -> "LandedView":
        """Return the view of what failed transactions had tried, read once."""
        if not self._attempts:
            self._attempts.append(view_of(attempts_in(self.block)))
        return self._attempts[0]

    def swaps_of(self, index: int) -> tuple[LandedSwap, ...]:
        """Return the swaps of one transaction, in log order."""
        return tuple(self._of_tx.get(index, ()))

    def swaps_between(self, pool: bytes, first: int, last: int) -> Sequence[LandedSwap]:
        """Return the swaps of a pool in the transactions behind `first` and before `last`."""
        own = self._of_pool.get(pool, [])
        start = bisect_left(own, first + 1, key=_tx_index)
        return own[start : bisect_left(own, last, lo=start, key=_tx_index)]

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

    def moved_in(self, index: int) -> tuple[Movement, ...]:
        """Return what moved in one transaction."""
        return self.flow_of(index).movements

    @property
    def prices(self) -> Prices:
        """Return what tokens are worth by the block's own trades, read once."""
        if not self._prices:
            self._prices.append(prices_of(self.swaps, self, self.block.wrapped_ether))
        return self._prices[0]

    def in_ether(self, profit: Amounts) -> bool:
        """Say whether all of a profit is ether and its costs are known, so that no net is an estimate."""
        known = Lack.GAS_PRICES not in self.block.lacks
        return known and [token for token, _ in profit] == [self.block.wrapped_ether]

    def net_wei(self, profit: Amounts, costs: Costs) -> int | None:
        """Return the profit after costs; None where some of it has no price, or gas has none."""
        if Lack.GAS_PRICES in self.block.lacks or not profit:
            return None
        worth_wei = [self.prices.wei_of(token, amount) for token, amount in profit]
        if any(one is None for one in worth_wei):
            return None
        return sum(one for one in worth_wei if one is not None) - costs.total_wei


def _tx_index(swap: LandedSwap) -> int:
    return swap.tx_index


def view_of(block: LandedBlock) -> LandedView:
    """Read a block once."""
    return LandedView(block, swaps_in(block))
