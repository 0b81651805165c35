"""The steps of a block's run over the log and the store: each reads what it needs and stores its rows.

    found = find_opportunities(run)        # in this process, after the steps before it, or alone in another

A step never hands anything to the next but through the store.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from mev_dagster.backtest.rows import backtest_columns
from mev_dagster.backtest.score import Backtest
from mev_dagster.backtest.visible import without_takers
from mev_dagster.blockrun.building import OfferedBlock, build_blocks, context_for, duty_of_any
from mev_dagster.blockrun.decide import Decision
from mev_dagster.blockrun.handing_over import HandedOver, hand_over
from mev_dagster.blockrun.judging import label_landed, score_stored, seeing_calls
from mev_dagster.blockrun.orders import pool_of, store_events
from mev_dagster.blockrun.run import BlockRun
from mev_dagster.blockrun.scored import stored_landed, stored_search
from mev_dagster.blockrun.sealed import TABLE as SEALED_TABLE
from mev_dagster.blockrun.sealed import StoredBlock, block_for, sealed_columns, stored_blocks
from mev_dagster.errors import InputError, MissingState, NoProposer, UnsupportedFork
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.features.rows import tx_feature_columns
from mev_dagster.features.tx import TxFeatures
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.rows import label_run_columns, mev_label_columns
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SubmissionReport
from mev_dagster.pbs.rows import joined_rows, receipt_rows, submission_rows, template_rows, unsent_rows
from mev_dagster.search.rows import (
    ALONE,
    opportunity_columns,
    plan_columns,
    pool_columns,
    pool_state_columns,
    simulation_columns,
)
from mev_dagster.search.run import Prepared
from mev_dagster.store.sql import Not, conditions
from mev_dagster.store.tables import TABLES
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.coverage import Coverage, coverage_columns, measure

RUN_TIMING_SQL = (resources.files("mev_dagster.blockrun") / "run_timing.sql").read_text()


# Ingest


@dataclass(frozen=True, slots=True)
class Decoded:
    """The window's transactions as the log decodes them, and those the store holds otherwise."""

    transactions: Sequence[dict[str, object]]
    differing: Sequence[bytes]


def compare_decoded(run: BlockRun) -> Decoded:
    """Hold what the store has of the window's transactions against their raw bodies."""
    transactions = run.window.written["transactions"]
    stored = _stored_senders(run, [row["tx_hash"] for row in transactions])
    differing = [row["tx_hash"] for row in transactions if stored.get(row["tx_hash"]) != row["sender"]]
    return Decoded(transactions, differing)


def _stored_senders(run: BlockRun, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    if not hashes:
        return {}
    where = conditions(TABLES["transactions"], {"tx_hash": hashes})
    return dict(run.store.rows(f"SELECT tx_hash, sender FROM transactions WHERE {where}"))  # noqa: S608


def measure_coverage(run: BlockRun) -> Coverage:
    """Compare the lanes over the block's window."""
    found = measure(run.store, first=run.number, last=run.number)
    if found is None:
        raise InputError(f"block {run.number}: the store holds no window that leads to it")
    where = {"first_block_number": run.number, "last_block_number": run.number}
    run.replace("coverage", where, coverage_columns(found))
    return found


# Search


def store_features(run: BlockRun) -> tuple[TxFeatures, ...]:
    """Store what every pending transaction asks for and offers."""
    env = run.inputs.env
    columns = tx_feature_columns(env.number, env.timestamp * NS_PER_SECOND, run.features)
    run.replace("tx_features", {"block_number": run.number}, columns)
    return run.features


def simulate_pending(run: BlockRun) -> Prepared:
    """Store what every pending call does on the parent's state."""
    prepared = run.prepared
    where = {"block_number": run.number, "opportunity_id": ALONE}
    run.replace("simulations", where, simulation_columns(prepared.result()))
    return prepared


@dataclass(frozen=True, slots=True)
class FoundOpportunities:
    """A block's decision as it was stored; `live` says that a live run gave the two times."""

    decision: Decision
    seen_ns: int
    finished_ns: int
    live: bool


def find_opportunities(run: BlockRun) -> FoundOpportunities:
    """Store the block's candidates, their executions and pools, and the run that found them."""
    decision = run.decision
    if run.tracing is not None:
        run.begin_trace()
    _store_candidates(run)
    # Beside the pending transactions' rows, which `simulate_pending` stores.
    of_candidates = {"block_number": run.number, "opportunity_id": Not(ALONE)}
    run.replace("simulations", of_candidates, simulation_columns(decision.result, pending=False))
    run.insert_new("pools", pool_columns(decision.result), key="pool")
    run.replace("pool_states", {"block_number": run.number}, pool_state_columns(decision.result))
    stored = None if run.live else _stored_timing(run)
    seen_ns, finished_ns, live = (
        stored if stored and stored[2] else (run.arrived_ns, run.clock.wall_ns(), run.live)
    )
    _store_run(run, seen_ns, finished_ns, live)
    return FoundOpportunities(decision, seen_ns, finished_ns, live)


def _store_candidates(run: BlockRun) -> None:
    """Make the block's rows be the candidates as they stand."""
    result = run.decision.result
    traced = {"trace_id": [run.trace_id] * len(result.candidates)}
    run.replace("opportunities", {"block_number": run.number}, {**opportunity_columns(result), **traced})
    run.replace("plans", {"block_number": run.number}, plan_columns(result))


def _stored_timing(run: BlockRun) -> tuple[int, int, bool] | None:
    """Return when the head was seen, when its opportunities were stored, and whether a live run did that.

    A later run of history over the same block leaves the live run's figures as they are: they tell how long
    the head waited, and that does not change.
    """
    asked = {"number": run.number, "hash": run.span.block_hash.hex()}
    found = run.store.rows(RUN_TIMING_SQL, asked)
    return (int(found[0][0]), int(found[0][1]), bool(found[0][2])) if found else None


def _store_run(run: BlockRun, seen_ns: int, finished_ns: int, live: bool) -> None:
    decision, result = run.decision, run.decision.result
    run.replace(
        "block_runs",
        {"block_number": run.number},
        {
            "block_hash": [run.block.hash],
            "block_time": [result.env.timestamp * NS_PER_SECOND],
            "seen_at": [seen_ns],
            "finished_at": [finished_ns],
            "engine": [result.engine],
            "pending_txs": [len(result.features)],
            "candidates": [len(result.candidates)],
            "verified": [sum(candidate.verified for candidate in result.candidates)],
            "rechecked": [decision.checked],
            "mismatches": [decision.mismatches],
            "rank_digest": [result.rank_digest],
            "live": [live],
            "run_id": [run.run_id],
        },
    )


def _store_disproved(run: BlockRun) -> None:
    """Keep what building found out: the candidates that still hold, and the digest of their ranking."""
    _store_candidates(run)
    stored = _stored_timing(run)
    if stored is not None:
        _store_run(run, *stored)


# Building and submitting


async def build_offers(run: BlockRun, clients: Sequence[RelayClient]) -> tuple[OfferedBlock, ...]:
    """Build the block for its slot's proposer and store it: its row, and whole for whoever submits it.

    There is one for each different bid of the relays' strategies, the highest first.

    `UnsupportedFork` where no relay takes blocks of its time.
    """
    context = context_for(run.block, run.source.schedule)
    duty = await duty_of_any(clients, run.inputs, context, run.block)
    pool = pool_of(run)
    offered = build_blocks(
        run.inputs,
        run.decision,
        run.block,
        duty,
        engine=run.engine,
        keys=run.keys,
        tracing=run.spans,
        parent=run.root,
        strategies=run.strategies,
        on_disproved=lambda: _store_disproved(run),
        bundles=tuple(pool.for_block(run.number, run.block.header.timestamp)),
    )
    where = {"block_number": run.number}
    run.replace(SEALED_TABLE, where, joined_rows([_sealed_columns(run, one) for one in offered]))
    rows = [template_rows(one.template, trace_id=run.trace_id) for one in offered]
    run.replace("block_templates", where, joined_rows(rows))
    store_events(run, pool, offered[0].template)
    return offered


def _sealed_columns(run: BlockRun, offered: OfferedBlock) -> dict[str, list[Any]]:
    """Return the row to submit from; none where a block can be built that no relay's protocol carries."""
    try:
        return sealed_columns(offered.template, run.span.block_hash, run.root, offered.relays)
    except UnsupportedFork:
        return {}


@dataclass(frozen=True, slots=True)
class Submitted:
    """The stored block of the highest bid, and what became of each relay's; of none where it bids nothing."""

    block: StoredBlock
    handed_over: tuple[HandedOver, ...]


async def submit_stored(run: BlockRun, clients: Sequence[RelayClient]) -> Submitted:
    """Submit the very block that the store holds for a relay in this block's place, to every relay at once.

    The attempts at a relay are stored as soon as it is done with; no relay waits for another.

    `UnsupportedFork` where no relay takes blocks of its time, `StepMissing` where none has been built.
    """
    _ = context_for(run.block, run.source.schedule).consensus_fork
    blocks = stored_blocks(run.store, run.number, run.span.block_hash)
    offers = [(client, block_for(client.name, blocks)) for client in clients]
    if not any(block.bid_wei for _, block in offers):
        return Submitted(blocks[0], ())
    run.fence.check()  # nothing is submitted for a slot that another block has taken
    where = {"block_number": run.number}

    reports: list[SubmissionReport] = []

    def keep(report: SubmissionReport) -> None:
        reports.append(report)
        rows = [submission_rows(one, opportunity_ids=blocks[0].opportunity_ids) for one in reports]
        run.replace("relay_submissions", where, joined_rows(rows))

    handed_over = await asyncio.gather(
        *(
            hand_over(
                block.unsigned,
                client,
                run.keys,
                parent=block.parent,
                deadline_ms=run.deadline_ms,
                superseded=run.lost_its_block,
                on_report=keep,
            )
            for client, block in offers
            if block.bid_wei
        )
    )
    receipts = [receipt_rows(one.report, one.receipts) for one in handed_over]
    run.replace("relay_receipts", where, joined_rows(receipts))
    return Submitted(blocks[0], tuple(handed_over))


async def keep_silence(run: BlockRun, clients: Sequence[RelayClient]) -> str:
    """Store a row a relay that names no proposer, so that no block could be built; return what they said.

    Empty where one does: then it is the step before that is missing.
    """
    context = context_for(run.block, run.source.schedule)
    try:
        await duty_of_any(clients, run.inputs, context, run.block)
    except NoProposer as error:
        names, now_ns = [client.name for client in clients], run.clock.wall_ns()
        rows = unsent_rows(context, run.span.block_hash, names, str(error), now_ns)
        run.replace("relay_submissions", {"block_number": run.number}, rows)
        return str(error)
    return ""


# Judging


def label(run: BlockRun, *, payments_by: SimulationEngine | None = None) -> BlockLabels:
    """Label what landed in the block, executed with the engine given, else with the run's own.

    What is stored of the state may not reach through the whole block; then its receipts alone tell.
    """
    if payments_by is None:
        try:
            return label(run, payments_by=seeing_calls(run.engine))
        except (MissingState, InputError):
            pass
    return label_landed(
        run.block,
        run.receipts,
        run.inputs.prestate,
        chain_id=run.source.chain_id,
        payments_by=payments_by,
    )


def store_labels(run: BlockRun, *, payments_by: SimulationEngine | None = None) -> BlockLabels:
    """Label the block and store its labels."""
    labels = label(run, payments_by=payments_by)
    run.replace("mev_labels", {"block_number": run.number}, mev_label_columns(labels))
    run.replace("label_runs", {"block_number": run.number}, label_run_columns(labels))
    return labels


def store_score(run: BlockRun) -> Backtest:
    """Score what the search found before the block against what landed in it, and store the counts.

    Both are the stored ones: `StepMissing` where a step before has not run. Where the mempool is made up from
    the block, what builds on a taker's own transaction counts for nothing.
    """
    pending = run.pending
    known = {entry.tx.hash: entry.tx for entry in pending.txs}
    search = stored_search(run.store, run.number, run.span.block_hash, known)
    landed = stored_landed(run.store, run.number, run.span.block_hash)
    scored = score_stored(run.number, without_takers(search.candidates, pending.txs, landed), landed)
    result = Backtest((scored,), any(entry.synthetic for entry in pending.txs))
    where = {"first_block_number": run.number, "last_block_number": run.number, "source": "block"}
    run.replace(
        "backtests", where, backtest_columns(result, source="block", first_block_time_ns=search.block_time_ns)
    )
    return result
