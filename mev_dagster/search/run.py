"""Search one block: look, propose, prune, sign, execute, rank."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import NamedTuple

from mev_dagster import plugins
from mev_dagster.dex.graph import PoolGraph
from mev_dagster.dex.registry import DiscoveredPools, discover
from mev_dagster.dex.venue import Pool
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_CODES
from mev_dagster.errors import PluginFailed
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv, SimulationEngine, StateSession
from mev_dagster.features.tx import TxFeatures, features_of
from mev_dagster.plugins import Plugin
from mev_dagster.search.compatible import best_together, total_profit_wei
from mev_dagster.search.contract_calls import EngineChain
from mev_dagster.search.crowds import try_crowds
from mev_dagster.search.identity import opportunity_id
from mev_dagster.search.inputs import SearchInputs, known_only
from mev_dagster.search.limits import VictimLimits
from mev_dagster.search.pending import PendingRun, try_pending
from mev_dagster.search.plan import Plan
from mev_dagster.search.plan_check import checked
from mev_dagster.search.rank import Candidate, rank_digest, ranked
from mev_dagster.search.searcher import Searcher, bid_for, inject
from mev_dagster.search.start import start_block
from mev_dagster.search.strategy import Strategy, as_plugins
from mev_dagster.search.verify import Verification, verify_many
from mev_dagster.search.view import BlockView

DEFAULT_BUDGET = 64
"""Candidates per block that are executed."""

MOST_PLANS = 100_000
"""What one strategy may propose for a block; one that proposes more is left out."""


MOST_UNEXECUTED = 1_000
"""Candidates per block that are signed and kept although the budget did not reach them."""

BELOW_GAS = "below_gas"
OVER_BUDGET = "over_budget"


class PrunedPlan(NamedTuple):
    """A plan that did not become a candidate, and why."""

    plan: Plan
    reason: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What the search found in one block.

    `state` is what it searched on: the captured state, with the searcher injected where it had to be.
    `searcher` is None where the state holds no wrapped ether, so nothing can be traded. `proposed` counts
    the plans, `dropped` are those that did not become candidates. `left_out` are strategies that failed.
    """

    env: BlockEnv
    engine: str
    state: Prestate
    searcher: Searcher | None
    discovery: DiscoveredPools
    features: tuple[TxFeatures, ...]
    runs: tuple[PendingRun, ...]
    candidates: tuple[Candidate, ...]
    proposed: int
    dropped: tuple[PrunedPlan, ...] = ()
    left_out: tuple[PluginFailed, ...] = ()

    @property
    def rank_digest(self) -> bytes:
        """Return the SHA-256 of the ranked candidates."""
        return rank_digest(self.candidates)

    @property
    def pruned(self) -> int:
        """Return how many plans did not become candidates."""
        return len(self.dropped)

    @property
    def pruned_by(self) -> Mapping[str, int]:
        """Return how many plans were not executed, by reason."""
        unexecuted = (one.reason for one in self.candidates if one.verification is None)
        return dict(sorted(Counter((*(one.reason for one in self.dropped), *unexecuted)).items()))

    @property
    def together(self) -> tuple[Candidate, ...]:
        """Return the verified candidates that earn most in one block, best first."""
        return best_together(self.candidates)

    @property
    def total_profit_wei(self) -> int:
        """Return what one block can earn: rivals for a transaction or a pool are not added up."""
        return total_profit_wei(self.candidates)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A block looked at: the state to search on and every pending transaction tried out on it.

    `view` is None where nothing can be traded; then there is nothing to propose either.
    """

    engine: str
    env: BlockEnv
    state: Prestate
    searcher: Searcher | None
    discovery: DiscoveredPools
    features: tuple[TxFeatures, ...]
    runs: tuple[PendingRun, ...]
    view: BlockView | None
    session: StateSession | None

    def result(
        self,
        candidates: tuple[Candidate, ...] = (),
        *,
        proposed: int = 0,
        dropped: tuple[PrunedPlan, ...] = (),
        left_out: tuple[PluginFailed, ...] = (),
    ) -> SearchResult:
        """Return the search's result with these candidates."""
        return SearchResult(
            env=self.env,
            engine=self.engine,
            state=self.state,
            searcher=self.searcher,
            discovery=self.discovery,
            features=self.features,
            runs=self.runs,
            candidates=candidates,
            proposed=proposed,
            dropped=dropped,
            left_out=left_out,
        )


@plugins.one_block()
def prepare(
    inputs: SearchInputs, engine: SimulationEngine, *, on_step: Callable[[str], None] = lambda step: None
) -> Prepared:
    """Discover the pools, place the searcher, and execute each pending transaction on the parent state."""
    env, captured = inputs.env, known_only(inputs.prestate)
    pending = [entry.tx for entry in inputs.pending]
    features = features_of(inputs.pending, captured, env, inputs.at_ns)
    discovery = discover(EngineChain(engine, captured, env), captured.accounts)
    searcher, state = _place_searcher(inputs.searcher, captured, discovery)
    runs: tuple[PendingRun, ...] = ()
    view = session = None
    if searcher is not None:
        session, state = start_block(engine, state, env)
        graph = PoolGraph((*beside(inputs.known_pools, discovery.pools, searcher), *discovery.pools))
        on_step(f"trying {len(pending)} pending transactions")
        chain_behind = partial(EngineChain, engine, state, env)
        runs = try_pending(pending, state, session, graph, env, chain_behind)
        bid = bid_for(env, pending)
        view = BlockView(
            env=env,
            graph=graph,
            wrapped_ether=searcher.wrapped_ether,
            searcher=searcher,
            inventory_wei=_inventory_wei(state, searcher),
            bid=bid,
            features=features,
            runs=runs,
            crowds=try_crowds(runs, session, graph, env, chain_behind),
            limits=VictimLimits(session, searcher, env, bid),
            moved_by={run.tx.hash: run.moved for run in runs},
        )
    return Prepared(
        engine=engine.name,
        env=env,
        state=state,
        searcher=searcher,
        discovery=discovery,
        features=tuple(features.values()),
        runs=runs,
        view=view,
        session=session,
    )


@plugins.one_block()
def propose(
    prepared: Prepared,
    *,
    budget: int = DEFAULT_BUDGET,
    strategies: Sequence[Strategy] | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> SearchResult:
    """Ask every strategy, execute what promises most, and rank."""
    view, session = prepared.view, prepared.session
    if view is None or session is None:
        return prepared.result()
    plans, left_out = _plans(as_plugins(strategies), view)
    proposed = {opportunity_id(plan, view.env): _with_moves(plan, view) for plan in plans}
    best_first, dropped = _worthwhile(proposed, view, budget + MOST_UNEXECUTED)
    on_step(f"executing {min(budget, len(best_first))} of {len(best_first)} candidates")
    return prepared.result(
        ranked(_verified(best_first, view, session, budget)),
        proposed=len(proposed),
        dropped=dropped,
        left_out=left_out,
    )


def _plans(
    chosen: Sequence[Plugin[Strategy]], view: BlockView
) -> tuple[list[Plan], tuple[PluginFailed, ...]]:
    """Ask every strategy. One that raises, never ends or proposes without end is left out of the block."""
    plans: list[Plan] = []
    failures: list[PluginFailed] = []
    for plugin in chosen:
        try:
            plans += plugins.bounded(plugin, partial(_of, plugin.package, view))
        except PluginFailed as failure:
            plugins.note(failure)
            failures.append(failure)
    return plans, tuple(failures)


def _of(package: str, view: BlockView, strategy: Strategy) -> list[Plan]:
    plans = list(islice(strategy.plans(view), MOST_PLANS + 1))
    if len(plans) > MOST_PLANS:
        raise ValueError(f"more than {MOST_PLANS} plans")
    return plans if package == plugins.OURS else [checked(plan, strategy, view) for plan in plans]


def search_block(
    inputs: SearchInputs,
    engine: SimulationEngine,
    *,
    budget: int = DEFAULT_BUDGET,
    strategies: Sequence[Strategy] | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> SearchResult:
    """Find, verify and rank the candidates of one block; `on_step` is told what is being done."""
    prepared = prepare(inputs, engine, on_step=on_step)
    return propose(prepared, budget=budget, strategies=strategies, on_step=on_step)


def beside(known: Sequence[Pool], found: Sequence[Pool], searcher: Searcher) -> list[Pool]:
    """Return the known pools between tokens that the block's own pools trade: the others close no cycle."""
    tokens = {token for pool in found for token in pool.tokens} | {searcher.wrapped_ether}
    here = {pool.address for pool in found}
    return [pool for pool in known if pool.address not in here and tokens.issuperset(pool.tokens)]


def _place_searcher(
    known: Searcher | None, state: Prestate, discovery: DiscoveredPools
) -> tuple[Searcher | None, Prestate]:
    if known is not None:
        return known, state
    if discovery.wrapped_ether is None:
        return None, state
    tokens = [token for pool in discovery.pools for token in pool.tokens]
    return inject(state, discovery.wrapped_ether, tokens)


def _inventory_wei(state: Prestate, searcher: Searcher) -> int:
    weth = searcher.wrapped_ether
    known = WRAPPED_ETHER_CODES[state.account(weth).code_hash]
    return state.storage(weth, known.balance_slot(searcher.executor))


def _covers_gas(plan: Plan, view: BlockView) -> bool:
    least_gas = sum(call.least_gas for call in plan.own_calls)
    return plan.expected_profit_wei > least_gas * view.bid.max_fee_wei


def _with_moves(plan: Plan, view: BlockView) -> Plan:
    moved = view.moved_by
    return replace(plan, moves=tuple(sorted(set().union(*(moved.get(tx.hash, ()) for tx in plan.pending)))))


def _worthwhile(
    proposed: Mapping[bytes, Plan], view: BlockView, most: int
) -> tuple[list[tuple[bytes, Plan]], tuple[PrunedPlan, ...]]:
    """Return the plans that may pay for their gas, those that promise most first, and what was dropped."""
    paying, poor = [], []
    for identity, plan in proposed.items():
        if _covers_gas(plan, view):
            paying.append((identity, plan))
        else:
            poor.append(PrunedPlan(plan, BELOW_GAS))
    paying.sort(key=lambda item: (-item[1].expected_profit_wei, item[0]))
    late = (PrunedPlan(plan, OVER_BUDGET) for _, plan in paying[most:])
    return paying[:most], (*poor, *late)


def _verified(
    best_first: Sequence[tuple[bytes, Plan]], view: BlockView, session: StateSession, budget: int
) -> list[Candidate]:
    """Sign every plan and execute those that promise most, as many as the budget allows."""
    signed = [view.searcher.sign(plan, view.env, view.bid) for _, plan in best_first]
    verified: list[Verification | None] = [*verify_many(signed[:budget], view.searcher, session)]
    verified += [None] * (len(signed) - len(verified))
    return [
        Candidate(identity, plan, txs, verification)
        for (identity, plan), txs, verification in zip(best_first, signed, verified, strict=True)
    ]
