"""A bundle as somebody sends it, raw transactions in order: a typed result for each, whatever they are.

Engines take decoded transactions and a block of a fork they implement; here nothing is presumed. What
cannot be decoded, or cannot be executed because the block cannot, is INVALID in its place with a stable code.
"""

from collections.abc import Sequence
from dataclasses import replace

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.errors import DecodeError, InputError, MevError, MissingState, UnsupportedFork
from mev_dagster.evm.diff import diff_hash
from mev_dagster.evm.types import BlockEnv, SimResult, SimulationEngine, StateSource, TxResult, invalid_result
from mev_dagster.evm.validate import Invalid

# Why not even the block could be begun.
_CODES: dict[type[MevError], Invalid] = {
    UnsupportedFork: Invalid.UNSUPPORTED_FORK,
    InputError: Invalid.UNSUPPORTED_BLOCK,
    MissingState: Invalid.MISSING_STATE,
}


def simulate_bundle(
    engine: SimulationEngine,
    state: StateSource,
    env: BlockEnv,
    raws: Sequence[bytes],
    prefix: Sequence[Transaction] = (),
) -> SimResult:
    """Execute raw transactions behind `prefix` at the top of a block; never raise for what they hold."""
    decoded = [_decoded(raw) for raw in raws]
    txs = [tx for tx in decoded if isinstance(tx, Transaction)]
    try:
        executed = engine.session(state, env, prefix).run(txs)
    except (UnsupportedFork, InputError, MissingState) as error:
        code = next(code for kind, code in _CODES.items() if isinstance(error, kind))
        refused = tuple(invalid_result(tx.hash, code, str(error)) for tx in txs)
        executed = SimResult(engine.name, env.fork, refused, 0, {}, diff_hash({}))
    results = iter(executed.txs)
    placed = [found if isinstance(found, TxResult) else next(results) for found in decoded]
    return replace(executed, txs=tuple(placed))


def _decoded(raw: bytes) -> Transaction | TxResult:
    try:
        return decode_transaction(raw)
    except DecodeError as error:
        return invalid_result(keccak(raw), error.reason, error.detail)
