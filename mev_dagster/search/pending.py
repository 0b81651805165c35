"""Pending calls executed on the parent state, each behind its sender's earlier ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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

MOST_BEFORE_A_RIVAL = 3
"""A transaction that a better paying one of its nonce replaces is tried behind this many at most."""


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

    A sender's transactions are executed once, one behind the other. Of several with one nonce the others are
    tried each on its own, where few enough come before. `chain_behind` reads the pools whose logs do not
    tell how they stand behind a transaction.
    """
    trier = Trier(session, graph, chain_behind)
    chains = _by_sender(txs, env.base_fee_per_gas_wei)
    runs: dict[bytes, PendingRun] = {}
    for sender, chain in chains.items():
        in_order = _in_order(sender, chain, state)
        runs.update(trier.along(in_order[: _last_call(in_order) + 1]))
    for tx in txs:
        if tx.hash not in runs and _is_call(tx):
            before = _prerequisites(tx, chains[tx.sender], state)
            if before is not None and len(before) <= MOST_BEFORE_A_RIVAL:
                runs[tx.hash] = trier.alone(before, tx)
    return tuple(runs[tx.hash] for tx in txs if tx.hash in runs)


def _is_call(tx: Transaction) -> bool:
    return tx.to is not None and bool(tx.data)


def _last_call(txs: Sequence[Transaction]) -> int:
    return max((position for position, tx in enumerate(txs) if _is_call(tx)), default=-1)


def _by_sender(
    txs: Sequence[Transaction], base_fee_wei: int | None
) -> Mapping[bytes, Mapping[int, Transaction]]:
    """Return each sender's transactions by nonce, of several with one nonce the one that tips most."""
    chains: dict[bytes, dict[int, Transaction]] = {}
    for tx in sorted(txs, key=lambda tx: (tx.effective_priority_fee_wei(base_fee_wei), tx.hash)):
        chains.setdefault(tx.sender, {})[tx.nonce] = tx
    return chains


def _in_order(sender: bytes, chain: Mapping[int, Transaction], state: StateSource) -> tuple[Transaction, ...]:
    """Return what a sender can send one after the other; nothing where its nonce is not known."""
    try:
        nonce = state.account(sender).nonce
    except MissingState:
        return ()
    found = []
    while (tx := chain.get(nonce)) is not None:
        found.append(tx)
        nonce += 1
    return tuple(found)


def _prerequisites(
    tx: Transaction, chain: Mapping[int, Transaction], state: StateSource
) -> tuple[Transaction, ...] | None:
    """Return what the sender must send first; None when some of that is not pending, or tx is too late."""
    try:
        next_nonce = state.account(tx.sender).nonce
    except MissingState:
        next_nonce = tx.nonce
    if not 0 <= tx.nonce - next_nonce <= len(chain):
        return None
    earlier = [chain.get(nonce) for nonce in range(next_nonce, tx.nonce)]
    known = tuple(found for found in earlier if found is not None)
    return known if len(known) == len(earlier) else None


class Trier:
    """Executes transactions, each list on the parent state, and follows the pools they speak of."""

    def __init__(self, session: StateSession, graph: PoolGraph, chain_behind: ChainBehind) -> None:
        self._session, self._pools, self._chain_behind = session, graph.pools, chain_behind

    def along(self, txs: tuple[Transaction, ...]) -> Iterator[tuple[bytes, PendingRun]]:
        """Yield the calls among transactions, each with those before it."""
        before: dict[bytes, Pool] = {}
        sims = self._session.run_each(txs) if txs else ()
        for position, (tx, sim) in enumerate(zip(txs, sims, strict=True)):
            after = self._behind(before, sim.txs[-1].logs, txs[: position + 1])
            if _is_call(tx):
                yield tx.hash, PendingRun(tx, txs[:position], sim, _swaps(sim), before, after)
            before = after

    def alone(self, prerequisites: tuple[Transaction, ...], tx: Transaction) -> PendingRun:
        """Return one call behind its sender's earlier transactions."""
        *_, sim = self._session.run_each((*prerequisites, tx))
        logs = [log for result in sim.txs[:-1] for log in result.logs]
        before = self._behind({}, logs, prerequisites)
        after = self._behind(before, sim.txs[-1].logs, (*prerequisites, tx))
        return PendingRun(tx, prerequisites, sim, _swaps(sim), before, after)

    def _behind(
        self, before: Mapping[bytes, Pool], logs: Sequence[Log], txs: Sequence[Transaction]
    ) -> dict[bytes, Pool]:
        told, unclear = pools_behind(logs, {**self._pools, **before} if before else self._pools)
        for address in sorted(unclear):
            try:
                told[address] = read_again(self._chain_behind(txs), self._pools[address])
            except Unquotable:
                continue
        return {**before, **told}


def _swaps(sim: SimResult) -> tuple[SwapEvent, ...]:
    return tuple(swap for _, swap in swaps_of(sim.txs[-1].logs))
