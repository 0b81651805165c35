"""Begin the block that is searched, also on a state that lacks the contracts a block begins by calling."""

from dataclasses import replace

from mev_dagster.errors import MissingState
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.protocol_accounts import knowing_protocol_accounts
from mev_dagster.evm.types import BlockEnv, SimulationEngine, StateSession

CALLED_FIRST = frozenset(
    {
        bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02"),  # beacon roots, EIP-4788
        bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935"),  # block hashes, EIP-2935
    }
)


def start_block(engine: SimulationEngine, state: Prestate, env: BlockEnv) -> tuple[StateSession, Prestate]:
    """Return a session at the top of the block, and the state it really stands on.

    Some captures leave these contracts out; the protocol says what they are. Where a devnet may have none,
    what the block would have written there is unknown, so they are taken out of the state altogether: whoever
    reads them gets `MissingState`, not a stale answer.
    """
    state = knowing_protocol_accounts(state, env)
    try:
        return engine.session(state, env), state
    except MissingState:
        accounts = {address: held for address, held in state.accounts.items() if address not in CALLED_FIRST}
        without = replace(state, accounts=accounts)
        return engine.session(without, env, begin_block=False), without
