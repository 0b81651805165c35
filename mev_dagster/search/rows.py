"""A search's findings as columns of `opportunities`, `plans`, `simulations`, `pools` and `pool_states`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mev_dagster.chain.receipts import logs_hash
from mev_dagster.dex.venue import PoolState
from mev_dagster.evm.analytics import Slot, contended_slots
from mev_dagster.evm.types import SimResult, TxResult
from mev_dagster.search.identity import canonical_json
from mev_dagster.search.plan_record import to_record
from mev_dagster.search.rank import Candidate
from mev_dagster.search.run import SearchResult
from mev_dagster.units import NS_PER_SECOND

Columns = Mapping[str, list[Any]]

ALONE = bytes(32)
"""The opportunity id of a transaction that was executed on its own."""


def opportunity_columns(result: SearchResult) -> Columns:
    """Return one row per candidate, best first."""
    found = result.candidates
    checks = [candidate.verification for candidate in found]
    return {
        **_block(result, len(found)),
        "rank": [candidate.rank for candidate in found],
        "opportunity_id": [candidate.opportunity_id for candidate in found],
        "parent_hash": [result.env.parent_hash] * len(found),
        "kind": [candidate.kind for candidate in found],
        "strategy": [candidate.plan.strategy for candidate in found],
        "tx_hashes": [list(candidate.tx_hashes) for candidate in found],
        "victim_hashes": [list(candidate.pending_hashes) for candidate in found],
        "venues": [list(candidate.plan.venues) for candidate in found],
        "tokens": [list(candidate.plan.tokens) for candidate in found],
        "size_wei": [candidate.plan.size_wei for candidate in found],
        "expected_profit_wei": [candidate.expected_profit_wei for candidate in found],
        "simulated_profit_wei": [candidate.simulated_profit_wei for candidate in found],
        "gas_used": [check.gas_used if check else 0 for check in checks],
        "coinbase_payment_wei": [check.coinbase_payment_wei if check else 0 for check in checks],
        "verified": [candidate.verified for candidate in found],
        "detail": [_detail(candidate) for candidate in found],
    }


def plan_columns(result: SearchResult) -> Columns:
    """Return one row per candidate: its plan."""
    return {
        **_block(result, len(result.candidates)),
        "opportunity_id": [candidate.opportunity_id for candidate in result.candidates],
        "plan": [to_record(candidate.plan) for candidate in result.candidates],
    }


def _detail(candidate: Candidate) -> str:
    if not candidate.reason:
        return ""
    said = candidate.verification.detail if candidate.verification else ""
    return canonical_json({"reason": candidate.reason, "detail": said}).decode()


class _SimulationRow(NamedTuple):
    """A list of transactions executed together, and the first of them worth a row."""

    opportunity_id: bytes
    sim: SimResult
    first: int
    contended: tuple[Slot, ...] = ()


def simulation_columns(result: SearchResult, *, pending: bool = True) -> Columns:
    """Return one row per transaction executed: pending ones on their own, and those of candidates.

    Without `pending` those of candidates only.
    """
    rows = [
        (execution, position)
        for execution in _executions(result, pending)
        for position in range(execution.first, len(execution.sim.txs))
    ]
    txs = [execution.sim.txs[position] for execution, position in rows]
    return {
        **_block(result, len(rows)),
        "opportunity_id": [execution.opportunity_id for execution, _ in rows],
        "position": [position for _, position in rows],
        "tx_hash": [tx.tx_hash for tx in txs],
        "engine": [execution.sim.engine for execution, _ in rows],
        "fork": [execution.sim.fork.name.lower() for execution, _ in rows],
        "status": [str(tx.status) for tx in txs],
        "gas_used": [tx.gas_used for tx in txs],
        "coinbase_payment_wei": [tx.coinbase_payment_wei for tx in txs],
        "logs_hash": [logs_hash(tx.logs) for tx in txs],
        "state_diff_hash": [execution.sim.state_diff_hash for execution, _ in rows],
        "accounts_read": [list(tx.accounts_read) for tx in txs],
        "slots_read": [_slots(tx.slots_read) for tx in txs],
        "slots_written": [_slots(tx.slots_written) for tx in txs],
        "contended_slots": [_slots(execution.contended) for execution, _ in rows],
        "detail": [f"{tx.error}: {tx.detail}" if tx.error else tx.detail for tx in txs],
        **_analytics_columns(txs),
    }


def _analytics_columns(txs: Sequence[TxResult]) -> Columns:
    """Return nothing where nothing was metered: a replay that does not meter compares the rest."""
    metered = [tx.analytics for tx in txs]
    if not any(metered):
        return {}
    counts = ("instructions", "cold_slots", "warm_slots", "cold_accounts", "warm_accounts")
    return {
        "gas_classes": [list(found.gas_by_class) if found else [] for found in metered],
        "gas_of_classes": [list(found.gas_by_class.values()) if found else [] for found in metered],
        **{name: [getattr(found, name) if found else None for found in metered] for name in counts},
    }


def _executions(result: SearchResult, pending: bool) -> Iterator[_SimulationRow]:
    if pending:
        contended = contended_slots([run.result for run in result.runs])
        for run, slots in zip(result.runs, contended, strict=True):
            yield _SimulationRow(ALONE, run.sim, len(run.prerequisites), slots)
    for candidate in result.candidates:
        if candidate.verification is not None:
            yield _SimulationRow(candidate.opportunity_id, candidate.verification.sim, 0)


def _slots(slots: Iterable[Slot]) -> list[bytes]:
    return [address + slot.to_bytes(32, "big") for address, slot in slots]


def pool_columns(result: SearchResult) -> Columns:
    """Return one row per pool that could be read."""
    pools = result.discovery.pools
    return {
        "pool": [pool.address for pool in pools],
        "protocol": [pool.family for pool in pools],
        "factory": [None] * len(pools),
        "token0": [pool.tokens[0] for pool in pools],
        "token1": [pool.tokens[1] for pool in pools],
        "fee_ppm": [pool.fee_ppm for pool in pools],
        "tick_spacing": [None] * len(pools),
        "code_hash": [result.state.account(pool.address).code_hash for pool in pools],
        "first_block_number": [result.env.number] * len(pools),
    }


def pool_state_columns(result: SearchResult) -> Columns:
    """Return one row per pool that could be read: its state before the block."""
    pools = result.discovery.pools
    states = [pool.at for pool in pools]
    return {
        **_block(result, len(pools)),
        "pool": [pool.address for pool in pools],
        **{name: [getattr(state, name) for state in states] for name in PoolState._fields},
    }


def _block(result: SearchResult, count: int) -> dict[str, list[Any]]:
    return {
        "block_number": [result.env.number] * count,
        "block_time": [result.env.timestamp * NS_PER_SECOND] * count,
    }
