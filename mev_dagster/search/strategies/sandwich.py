"""Buy in front of a pending swap up to the worst price it accepts, and sell behind it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mev_dagster.dex.constant_product import Hop, least_amount_in
from mev_dagster.dex.executor import step_of
from mev_dagster.dex.frontrun import ExactInput, ExactOutput, SandwichSize, Victim, optimal_sandwich
from mev_dagster.dex.venue import Pool, SwapIntent, Trade
from mev_dagster.dex.venue_events import SwapEvent
from mev_dagster.errors import Unquotable
from mev_dagster.search.landed import Landed
from mev_dagster.search.pending import PendingRun
from mev_dagster.search.plan import Plan, SwapsCall
from mev_dagster.search.view import BlockView


class Crossed(NamedTuple):
    """A pool of the victim's route, and the reserves that its sale meets."""

    pool: Pool
    hop: Hop


class Sandwich:
    """Sandwich router swaps, where they sell wrapped ether into a pool that quotes by constant product."""

    kind = "sandwich"
    name = "sandwich/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield one plan per hop of a pending router swap that can be front-run."""
        for run in view.runs:
            call = view.features[run.tx.hash].call
            if call is None or not run.succeeded:
                continue
            route = route_of(run, call, view)
            for position, crossed in enumerate(route):
                if call.path[position] != view.wrapped_ether:
                    continue
                victim = _victim(call, run.swaps, route, position)
                if victim is None:
                    continue
                size = optimal_sandwich(victim, crossed.hop, view.inventory_wei)
                plan = size and self._plan(run, crossed.pool, call.path[position + 1], size, view)
                if plan is not None:
                    yield plan

    def matches(self, plan: Plan, landed: Landed) -> bool:
        """Say whether somebody sandwiched the same transactions in the same pools."""
        last, all_of_it = plan.pending[-1].hash, {tx.hash for tx in plan.pending}
        return (
            landed.kind == self.kind
            and last in landed.victims
            and landed.victims <= all_of_it
            and set(plan.venues) == landed.pools
        )

    def _plan(
        self, run: PendingRun, pool: Pool, token: bytes, size: SandwichSize, view: BlockView
    ) -> Plan | None:
        weth, executor = view.wrapped_ether, view.searcher.executor
        buy = Trade(weth, token, size.front_in, size.front_out, executor)
        sell = Trade(token, weth, size.front_out, size.back_out, executor)
        try:
            front, back = (
                step_of(pool.call(trade), trade.token_in, trade.amount_in) for trade in (buy, sell)
            )
        except Unquotable:
            return None
        return Plan(
            kind=self.kind,
            strategy=self.name,
            items=(
                *run.prerequisites,
                # A token that taxes its transfers delivers less than the pool gave: better to stop here.
                SwapsCall(executor, (front,), token, min_gain=size.front_out),
                run.tx,
                SwapsCall(executor, (back,), weth, min_gain=size.back_out),
            ),
            venues=(pool.address, pool.address),
            tokens=(weth, token, weth),
            size_wei=size.front_in,
            expected_profit_wei=size.profit,
            prize=(*(tx.hash for tx in run.prerequisites), run.tx.hash),
        )


def route_of(run: PendingRun, call: SwapIntent, view: BlockView) -> Sequence[Crossed]:
    """Return the pools the swap crossed when it was tried out, empty when they are not the call's path."""
    route: list[Crossed] = []
    if len(run.swaps) != len(call.path) - 1:
        return ()
    for swap, token_in, token_out in zip(run.swaps, call.path, call.path[1:], strict=False):
        pool = run.before.get(swap.pool) or view.graph.pools.get(swap.pool)
        if pool is None or not {token_in, token_out} <= set(pool.tokens):
            return ()
        hop = closed_form(pool, token_in, token_out)
        if hop is None or any(crossed.pool.address == pool.address for crossed in route):
            return ()
        route.append(Crossed(pool, hop))
    return route


def closed_form(pool: Pool, token_in: bytes, token_out: bytes) -> Hop | None:
    """Return the reserves a sale meets, None where the pool's quote is no such formula."""
    try:
        return pool.constant_product(token_in, token_out)
    except Unquotable:
        return None


def _victim(
    call: SwapIntent, swaps: Sequence[SwapEvent], route: Sequence[Crossed], position: int
) -> Victim | None:
    """Return the victim's terms on one hop of its route; None when its limit does not reach that hop."""
    if not call.exact_input:
        if position:
            return None
        return ExactOutput(swaps[0].amount_out, call.amount_in)
    least = call.amount_out
    for later in reversed(route[position + 1 :]):
        if least >= later.hop.reserve_out:
            return None
        least = least_amount_in(least, later.hop)
    return ExactInput(swaps[position].amount_in, least)
