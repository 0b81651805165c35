"""A mined block with all the state it reads, loaded from a node in few round trips and proven."""

from collections.abc import Mapping
from dataclasses import dataclass

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import ForkSchedule
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.errors import InputError, NodeAnswerError
from mev_dagster.evm.blocks import block_env, mining_rewards
from mev_dagster.evm.node.forks import schedule_of
from mev_dagster.evm.state.rpc_rounds import load_by_rounds
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.evm.types import SimulationEngine, StateSource
from mev_dagster.node.http import JsonRpc


@dataclass(frozen=True, slots=True)
class NodeBlock:
    """A block, the state after its parent with what the block reads of it, and how many batches that took."""

    block: Block
    schedule: ForkSchedule
    state: RpcState
    rounds: int


def load_block(rpc: JsonRpc, number: int, engine: SimulationEngine) -> NodeBlock:
    """Return a block of the node and its parent's state, ready to be executed without further questions."""
    if number < 1:
        raise InputError(f"block {number}: only a block with a parent can be executed")
    answer = rpc.call("eth_getBlockByNumber", [hex(number), True])
    if not isinstance(answer, Mapping):
        raise NodeAnswerError(f"{rpc.shown_url}: has no block {number}")
    block, schedule = block_from_rpc(answer), schedule_of(rpc)
    state = RpcState.at(rpc, number - 1)
    env = block_env(block.header, schedule)
    state.prefetch_transactions(block.transactions, env.coinbase)

    def attempt(source: StateSource) -> None:
        engine.simulate(
            source,
            env,
            block.transactions,
            withdrawals=block.withdrawals or (),
            end_block=True,
            rewards=mining_rewards(block, env.fork),
        )

    return NodeBlock(block, schedule, state, load_by_rounds(state, attempt))
