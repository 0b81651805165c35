"""Pending calls executed on the parent state, each behind its sender's earlier ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.events import pools_behind, swaps_of
from mev_dagster.dex.graph import PoolGraph
from mev_dagster.dex.registry import read_again
from mev_dagster.dex.venue import ChainAt, Pool
from mev_dagster.dex.venue_events import SwapEvent
from mev_dagster.errors import MissingState, Unquotable
from mev_dagster.evm.types import BlockEnv, SimResult, StateSession, StateSource, TxResult, TxStatus

ChainBehind = Callable[[Sequence[Transaction]], ChainAt]


def no_chain(txs: Sequence[Transaction]) -> ChainAt:
    """Say that nothing can be read behind transactions: pools that would have to be are left as they were."""
    raise Unquotable(f"no state behind {len(txs)} transactions")


@dataclass(frozen=True, slots=True)
class PendingRun:
    """A pending transaction executed on the parent state, behind its sender's earlier pending ones.

    `before` and `after` hold the pools whose logs had spoken by then.
    """

    tx: Transaction
    prerequisites: tuple[Transaction, ...]
    sim: SimResult
    swaps: tuple[SwapEvent, ...]
    before: Mapping[bytes, Pool]
    after: Mapping[bytes, Pool]

    @property
    def result(self) -> TxResult:
        """Return the outcome of the transaction itself."""
        return self.sim.txs[-1]

    @property
    def succeeded(self) -> bool:
        """Say whether it and everything it depends on succeeded."""
        return all(result.status is TxStatus.SUCCESS for result in self.sim.txs)

    @property
    def moved(self) -> frozenset[bytes]:
        """Return the pools that it changed."""
        return frozenset(address for address, pool in self.after.items() if self.before.get(address) != pool)


def try_pending(
    txs: Sequence[Transaction],
    state: StateSource,
    session: StateSession,
    graph: PoolGraph,
    env: BlockEnv,
    chain_behind: ChainBehind = no_chain,
) -> tuple[PendingRun, ...]:
    """Execute each pending call on the parent state. Plain transfers and creations cannot move a pool.

    `chain_behind` reads the pools whose logs do not tell how they stand behind a transaction.
    """
    chains = _by_sender(txs, env.base_fee_per_gas_wei)
    runs = []
    for tx in txs:
        if tx.to is None or not tx.data:
            continue
        prerequisites = _prerequisites(tx, chains[tx.sender], state)
        if prerequisites is not None:
            sim = session.run((*prerequisites, tx))
            runs.append(_run_of(tx, prerequisites, sim, graph, chain_behind))
    return tuple(runs)


def _by_sender(
    txs: Sequence[Transaction], base_fee_wei: int | None
) -> Mapping[bytes, Mapping[int, Transaction]]:
    """Return each sender's transactions by nonce, of several with one nonce the one that tips most."""
    chains: dict[bytes, dict[int, Transaction]] = {}
    for tx in sorted(txs, key=lambda tx: (tx.effective_priority_fee_wei(base_fee_wei), tx.hash)):
        chains.setdefault(tx.sender, {})[tx.nonce] = tx
    return chains


def _prerequisites(
    tx: Transaction, chain: Mapping[int, Transaction], state: StateSource
) -> tuple[Transaction, ...] | None:
    """Return what the sender must send first; None when some of that is not pending, or tx is too late."""
    try:
        next_nonce = state.account(tx.sender).nonce
    except MissingState:
        next_nonce = tx.nonce
    earlier = [chain.get(nonce) for nonce in range(next_nonce, tx.nonce)]
    known = tuple(found for found in earlier if found is not None)
    return known if tx.nonce >= next_nonce and len(known) == len(earlier) else None


def _run_of(
    tx: Transaction,
    prerequisites: tuple[Transaction, ...],
    sim: SimResult,
    graph: PoolGraph,
    chain_behind: ChainBehind,
) -> PendingRun:
    earlier_logs = [log for result in sim.txs[:-1] for log in result.logs]
    logs = sim.txs[-1].logs
    before = _pools_behind(earlier_logs, graph.pools, prerequisites, chain_behind)
    after = {
        **before,
        **_pools_behind(logs, {**graph.pools, **before}, (*prerequisites, tx), chain_behind),
    }
    return PendingRun(tx, prerequisites, sim, tuple(swap for _, swap in swaps_of(logs)), before, after)


def _pools_behind(
    logs: Sequence[Log],
    pools: Mapping[bytes, Pool],
    txs: Sequence[Transaction],
    chain_behind: ChainBehind,
) -> dict[bytes, Pool]:
    told, unclear = pools_behind(logs, pools)
    for address in sorted(unclear):
        try:
            told[address] = read_again(chain_behind(txs), pools[address])
        except Unquotable:
            continue
    return told
