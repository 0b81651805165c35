"""Buy in front of a pending swap up to the worst price it accepts, and sell behind it."""

from collections.abc import Iterator, Sequence

from mev_dagster.dex.executor import SwapStep
from mev_dagster.dex.frontrun import ExactInput, ExactOutput, SandwichSize, Victim, optimal_sandwich
from mev_dagster.dex.router import RouterCall
from mev_dagster.dex.swaps import Protocol, SwapEvent
from mev_dagster.dex.venues.uniswap_v2 import Pair, least_amount_in
from mev_dagster.search.plan import Kind, OwnCall, Plan
from mev_dagster.search.view import BlockView, PendingRun


class Sandwich:
    """Sandwich router swaps, where they sell wrapped ether into a pair we can quote."""

    name = "sandwich/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield one plan per hop of a pending router swap that can be front-run."""
        for run in view.runs:
            call = view.features[run.tx.hash].call
            if call is None or not run.succeeded:
                continue
            route = _route(run, call, view)
            for position, pair in enumerate(route):
                if call.path[position] != view.wrapped_ether:
                    continue
                victim = _victim(call, run.swaps, route, position)
                if victim is None:
                    continue
                size = optimal_sandwich(victim, pair.hop(view.wrapped_ether), view.inventory_wei)
                if size is not None:
                    yield self._plan(run, pair, size, view)

    def _plan(self, run: PendingRun, pair: Pair, size: SandwichSize, view: BlockView) -> Plan:
        weth, executor = view.wrapped_ether, view.searcher.executor
        token = pair.other(weth)
        front = SwapStep(pair.address, weth, size.front_in, *pair.outputs(token, size.front_out), executor)
        back = SwapStep(pair.address, token, size.front_out, *pair.outputs(weth, size.back_out), executor)
        return Plan(
            kind=Kind.SANDWICH,
            strategy=self.name,
            items=(
                *run.prerequisites,
                # A token that taxes its transfers delivers less than the pair gave: better to stop here.
                OwnCall((front,), token, min_gain=size.front_out),
                run.tx,
                OwnCall((back,), weth, min_gain=size.back_out),
            ),
            venues=(pair.address, pair.address),
            tokens=(weth, token, weth),
            size_wei=size.front_in,
            expected_profit_wei=size.profit,
        )


def _route(run: PendingRun, call: RouterCall, view: BlockView) -> Sequence[Pair]:
    """Return the pairs the swap crossed when it was tried out, empty when they are not the call's path."""
    route = []
    if len(run.swaps) != len(call.path) - 1:
        return ()
    for swap, token_in, token_out in zip(run.swaps, call.path, call.path[1:], strict=False):
        pair = run.before.get(swap.pool, view.graph.pairs.get(swap.pool))
        if pair is None or swap.protocol is not Protocol.UNISWAP_V2 or pair in route:
            return ()
        if not pair.trades(token_in) or pair.other(token_in) != token_out:
            return ()
        route.append(pair)
    return route


def _victim(
    call: RouterCall, swaps: Sequence[SwapEvent], route: Sequence[Pair], position: int
) -> Victim | None:
    """Return the victim's terms on one hop of its route; None when its limit does not reach that hop."""
    if not call.function.exact_input:
        if position:
            return None
        return ExactOutput(swaps[0].amount_out, call.amount_in)
    least = call.amount_out
    for later, token_in in zip(
        reversed(route[position + 1 :]), reversed(call.path[position + 1 : -1]), strict=True
    ):
        hop = later.hop(token_in)
        if least >= hop.reserve_out:
            return None
        least = least_amount_in(least, hop)
    return ExactInput(swaps[position].amount_in, least)
