"""Buy in front of pending sales that are known from running them, and sell behind: one sale or several.

What their calldata says is not needed: what they sell is in their logs, how far they can be pushed is asked
in the engine.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mev_dagster.dex.constant_product import Hop
from mev_dagster.dex.crowd_frontrun import CrowdSandwich, optimal_crowd_sandwich
from mev_dagster.dex.executor import step_of
from mev_dagster.dex.venue import Pool, Trade
from mev_dagster.errors import Unquotable
from mev_dagster.search.crowds import MOST_IN_A_CROWD
from mev_dagster.search.landed import Landed
from mev_dagster.search.limits import Sale, SalesInARow
from mev_dagster.search.pending import PendingRun
from mev_dagster.search.plan import LEAST_GAS_OF_A_CALL, Plan, SwapsCall
from mev_dagster.search.strategies.sandwich import Sandwich, closed_form, route_of
from mev_dagster.search.view import BlockView

OWN_CALLS = 2
MOST_FIRST = 2
"""Calls that do something else in a pool and are tried in front of its sales, each on its own."""


class SeenSale(NamedTuple):
    """A sale, and the reserves that it met."""

    pool: Pool
    hop: Hop
    sale: Sale


class SeenSandwich:
    """Sandwich sales of wrapped ether whose calldata nobody can read, and several sales into one pool."""

    kind = "sandwich"
    name = "seen_sandwich/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield a plan around each row of sales that pays, the most promising first."""
        if view.limits is None:
            return
        least_wei = OWN_CALLS * LEAST_GAS_OF_A_CALL * view.bid.max_fee_wei
        promising = []
        for row in _rows(view):
            most = optimal_crowd_sandwich(row.sold, row.hop, min(view.inventory_wei, row.hop.reserve_in))
            if most is not None and most.profit > least_wei:
                promising.append((most, row))
        promising.sort(key=lambda found: (-found[0].profit, found[1].txs[-1].hash, found[1].pool.address))
        for most, row in promising:
            largest = view.limits.largest(row, most.front_in)
            size = optimal_crowd_sandwich(row.sold, row.hop, largest) if largest else None
            plan = size and self._plan(row, size, view)
            if plan is not None:
                yield plan

    def matches(self, plan: Plan, landed: Landed) -> bool:
        """Say whether somebody sandwiched the same transactions in the same pools."""
        return Sandwich().matches(plan, landed)

    def _plan(self, row: SalesInARow, size: CrowdSandwich, view: BlockView) -> Plan | None:
        executor = view.searcher.executor
        buy = Trade(row.token_in, row.token_out, size.front_in, size.front_out, executor)
        sell = Trade(row.token_out, row.token_in, size.front_out, size.back_out, executor)
        try:
            front, back = (
                step_of(row.pool.call(trade), trade.token_in, trade.amount_in) for trade in (buy, sell)
            )
        except Unquotable:
            return None
        return Plan(
            kind=self.kind,
            strategy=self.name,
            items=(
                *row.txs[: row.first],
                SwapsCall(executor, (front,), row.token_out, min_gain=size.front_out),
                *row.txs[row.first :],
                SwapsCall(executor, (back,), row.token_in, min_gain=size.back_out),
            ),
            venues=(row.pool.address, row.pool.address),
            tokens=(row.token_in, row.token_out, row.token_in),
            size_wei=size.front_in,
            expected_profit_wei=size.profit,
            prize=tuple(tx.hash for tx in row.txs),
        )


def _rows(view: BlockView) -> Iterator[SalesInARow]:
    """Yield the sales of calls whose data cannot be read, and every few sales into one pool.

    What somebody else does in the pool first changes what the sales stand: it may come before them. Of
    several sales whoever stands least must come first; who that is nobody knows, so both orders are tried.
    """
    sellers: dict[bytes, list[tuple[PendingRun, SeenSale]]] = {}
    others: dict[bytes, list[PendingRun]] = {}
    for run in view.runs:
        if run.succeeded:
            own = {seen.pool.address: seen for seen in sales_of(run, view)}
            for pool in run.moved:
                if pool in own:
                    sellers.setdefault(pool, []).append((run, own[pool]))
                else:
                    others.setdefault(pool, []).append(run)
    for pool, found in sellers.items():
        found.sort(key=lambda one: (-_tip_wei(one[0], view), one[0].tx.hash))
        several = [found[:count] for count in range(2, min(len(found), MOST_IN_A_CROWD) + 1)]
        for first in (None, *others.get(pool, ())[:MOST_FIRST]):
            for one in found:
                if first is not None or not _is_read(one[0], view):
                    yield from _row(first, [one], view)
            for few in several:
                yield from _row(first, few, view)
                yield from _row(first, few[::-1], view)


def _tip_wei(run: PendingRun, view: BlockView) -> int:
    return run.tx.effective_priority_fee_wei(view.env.base_fee_per_gas_wei)


def _row(
    first: PendingRun | None, sellers: Sequence[tuple[PendingRun, SeenSale]], view: BlockView
) -> Iterator[SalesInARow]:
    """Yield the row, unless its calls depend on each other."""
    runs = [*([first] if first else []), *(run for run, _ in sellers)]
    if len({run.tx.sender for run in runs}) < len(runs):
        return
    pool, hop, _ = sellers[0][1]
    weth = view.wrapped_ether
    (token,) = (token for token in pool.tokens if token != weth)
    if first is not None:
        pool = first.after[pool.address]
        behind = closed_form(pool, weth, token)
        if behind is None:
            return
        hop = behind
    txs = tuple(tx for run in runs for tx in (*run.prerequisites, run.tx))
    sales = tuple(seen.sale for _, seen in sellers)
    yield SalesInARow(txs, txs.index(sales[0].tx), pool, weth, token, hop, sales)


def _is_read(run: PendingRun, view: BlockView) -> bool:
    call = view.features[run.tx.hash].call
    return call is not None and bool(route_of(run, call, view))


def sales_of(run: PendingRun, view: BlockView) -> Iterator[SeenSale]:
    """Yield the sales of wrapped ether into pools that a call crossed once and that have a closed form."""
    crossed = [swap.pool for swap in run.swaps]
    for swap in run.swaps:
        pool = run.before.get(swap.pool) or view.graph.pools.get(swap.pool)
        if pool is None or crossed.count(swap.pool) > 1 or len(pool.tokens) != 2 or not swap.by_address:
            continue
        token_in, token_out = pool.tokens if swap.zero_for_one else pool.tokens[::-1]
        if token_in == view.wrapped_ether and swap.amount_in > 0:
            hop = closed_form(pool, token_in, token_out)
            if hop is not None:
                yield SeenSale(pool, hop, Sale(run.tx, swap.amount_in))
