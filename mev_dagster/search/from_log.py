"""The inputs of a search, from the event log and a chain source: what live runs and backfills start from."""

from collections.abc import Iterable
from dataclasses import replace

from mev_dagster.captures.format import Capture
from mev_dagster.captures.source import ChainSource
from mev_dagster.dex.registry import venues
from mev_dagster.errors import InputError
from mev_dagster.events.types import Event
from mev_dagster.evm.blocks import block_env
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.rpc_rounds import load_by_rounds
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.evm.types import BlockEnv, SimulationEngine, StateSource
from mev_dagster.features.mempool import PendingSet, pending_before
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.inputs import SearchInputs, searcher_of
from mev_dagster.search.searcher import find_deployed


def log_inputs(
    events: Iterable[Event],
    number: int,
    block_hash: bytes,
    *,
    source: ChainSource,
    engine: SimulationEngine,
    known_pairs: Iterable[bytes] = (),
) -> SearchInputs:
    """Return the inputs for block `number` as the log saw it coming.

    `known_pairs` are pairs worth reading even when no pending transaction touches them. Raises `InputError`
    when the source has another block of that number than the log: the block was reorged.
    """
    block = source.block(number)
    if block.hash != block_hash:
        raise InputError(
            f"block {number} is {to_hex(block.hash)} now; the log's window leads to {to_hex(block_hash)}"
        )
    pending = pending_before(events, block_hash)
    env = block_env(block.header, source.schedule)
    state = source.prestate(number)
    if isinstance(state, RpcState):
        prestate = loaded(state, env, pending, engine, known_pairs)
    elif isinstance(state, Prestate):
        prestate = state
    else:
        raise InputError(f"a {type(state).__name__} lists no accounts to look for pools in")
    return SearchInputs(
        env=env,
        prestate=prestate,
        pending=pending.txs,
        at_ns=pending.head.wall_ns,
        searcher=searcher_of(source, number) if isinstance(source, Capture) else find_deployed(state),
    )


def loaded(
    state: RpcState,
    env: BlockEnv,
    pending: PendingSet,
    engine: SimulationEngine,
    known_pairs: Iterable[bytes],
) -> Prestate:
    """Return what the pending transactions and the known pairs need, with the node behind it for the rest.

    Executing the pending transactions once is what finds the pairs they trade in.
    """
    parties = {address for entry in pending.txs for address in (entry.tx.sender, entry.tx.to) if address}
    state.prefetch([(address, ()) for address in sorted(parties)], codes=True)
    calls = [entry.tx for entry in pending.txs if entry.tx.to is not None and entry.tx.data]

    def execute(source: StateSource) -> None:
        session = engine.session(source, env)
        for call in calls:
            session.run((call,))

    if engine.name == "revm":  # the reference takes longer to execute again than a near node to answer
        load_by_rounds(state, execute)
    execute(state)
    state.prefetch([(pair, venues().slots) for pair in sorted(set(known_pairs))], codes=True)
    return replace(state.recorded(), fallback=state)
