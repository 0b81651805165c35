"""What strategies look at: the parent state, the block to be built on it, and each pending tx tried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.events import reserves_after, swaps_of
from mev_dagster.dex.graph import PairGraph
from mev_dagster.dex.swaps import SwapEvent
from mev_dagster.dex.venues.uniswap_v2 import Pair
from mev_dagster.errors import MissingState
from mev_dagster.evm.types import BlockEnv, SimResult, StateSession, StateSource, TxResult, TxStatus
from mev_dagster.features.tx import TxFeatures
from mev_dagster.search.searcher import GasPrice, Searcher


@dataclass(frozen=True, slots=True)
class PendingRun:
    """A pending transaction executed on the parent state, behind its sender's earlier pending ones.

    `before` and `after` hold the pairs that had moved by then.
    """

    tx: Transaction
    prerequisites: tuple[Transaction, ...]
    sim: SimResult
    swaps: tuple[SwapEvent, ...]
    before: Mapping[bytes, Pair]
    after: Mapping[bytes, Pair]

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
        """Return the pairs whose reserves it changed."""
        return frozenset(address for address, pair in self.after.items() if self.before.get(address) != pair)


@dataclass(frozen=True, slots=True)
class BlockView:
    """Everything a strategy may use. `runs` are in the order the transactions were first seen."""

    env: BlockEnv
    graph: PairGraph
    wrapped_ether: bytes
    searcher: Searcher
    inventory_wei: int
    bid: GasPrice
    features: Mapping[bytes, TxFeatures]
    runs: tuple[PendingRun, ...]


def try_pending(
    txs: Sequence[Transaction], state: StateSource, session: StateSession, graph: PairGraph, env: BlockEnv
) -> tuple[PendingRun, ...]:
    """Execute each pending call on the parent state. Plain transfers and creations cannot move a pair."""
    chains = _by_sender(txs, env.base_fee_per_gas_wei)
    runs = []
    for tx in txs:
        if tx.to is None or not tx.data:
            continue
        prerequisites = _prerequisites(tx, chains[tx.sender], state)
        if prerequisites is not None:
            runs.append(_try(tx, prerequisites, session, graph))
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


def _try(
    tx: Transaction, prerequisites: tuple[Transaction, ...], session: StateSession, graph: PairGraph
) -> PendingRun:
    sim = session.run((*prerequisites, tx))
    earlier_logs = [log for result in sim.txs[:-1] for log in result.logs]
    logs = sim.txs[-1].logs
    before = _moved_pairs(reserves_after(earlier_logs), graph)
    after = {**before, **_moved_pairs(reserves_after(logs), graph)}
    return PendingRun(tx, prerequisites, sim, tuple(swap for _, swap in swaps_of(logs)), before, after)


def _moved_pairs(reserves: Mapping[bytes, tuple[int, int]], graph: PairGraph) -> dict[bytes, Pair]:
    return {
        address: graph.pairs[address].with_reserves(*found)
        for address, found in sorted(reserves.items())
        if address in graph.pairs
    }
