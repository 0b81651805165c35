"""Pending calls that move one pool, executed one behind the other in the order that builders prefer.

What a pool pays behind several swaps is not what it pays behind each of them. Who tips most comes first, as
in most blocks; of each crowd every beginning is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.graph import PoolGraph
from mev_dagster.evm.types import BlockEnv, StateSession
from mev_dagster.search.pending import ChainBehind, PendingRun, Trier, no_chain

MOST_IN_A_CROWD = 4
EXECUTIONS_A_RUN = 1
"""Crowds may cost as many executions as trying each pending call out, and no more."""


def try_crowds(
    runs: Sequence[PendingRun],
    session: StateSession,
    graph: PoolGraph,
    env: BlockEnv,
    chain_behind: ChainBehind = no_chain,
) -> tuple[PendingRun, ...]:
    """Return every beginning, of two calls or more, of each pool's crowd.

    `prerequisites` of one are all transactions before its last call, and `moved` what all of them changed.
    The crowds of the pools with most tips are tried first.
    """
    trier = Trier(session, graph, chain_behind)
    left = EXECUTIONS_A_RUN * len(runs)
    found: list[PendingRun] = []
    for txs, calls in _crowds(runs, env):
        if len(txs) > left:
            break
        left -= len(txs)
        met = 0
        for tx_hash, run in trier.along(txs):
            met += tx_hash in calls
            if met > 1 and tx_hash in calls:
                found.append(replace(run, before={}))
    return tuple(found)


def _crowds(
    runs: Sequence[PendingRun], env: BlockEnv
) -> Iterator[tuple[tuple[Transaction, ...], frozenset[bytes]]]:
    """Yield the transactions of each crowd in order, and which of them are the calls that move its pool."""
    base_fee_wei = env.base_fee_per_gas_wei
    movers: dict[bytes, list[PendingRun]] = {}
    for run in runs:
        if run.succeeded:
            for pool in sorted(run.moved):
                movers.setdefault(pool, []).append(run)
    seen: set[tuple[Transaction, ...]] = set()
    crowds = []
    for pool, crowd in movers.items():
        if len(crowd) < 2:
            continue
        crowd.sort(key=lambda run: (-run.tx.effective_priority_fee_wei(base_fee_wei), run.tx.hash))
        chosen = crowd[:MOST_IN_A_CROWD]
        txs = tuple(dict.fromkeys(tx for run in chosen for tx in (*run.prerequisites, run.tx)))
        tips = sum(run.tx.effective_priority_fee_wei(base_fee_wei) for run in chosen)
        crowds.append((-tips, pool, txs, frozenset(run.tx.hash for run in chosen)))
    for _, _, txs, calls in sorted(crowds, key=lambda crowd: crowd[:2]):
        if txs not in seen:
            seen.add(txs)
            yield txs, calls
