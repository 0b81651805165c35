"""What only execution tells of landed transactions: payments to the coinbase besides tips, and calls."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import CallFrame, SimulationEngine


class Executed(NamedTuple):
    """What one transaction gave the coinbase besides its tip, and its calls where the engine tells them."""

    direct_payment_wei: int
    frames: tuple[CallFrame, ...]


def executed(
    block: Block,
    receipts: Sequence[Receipt],
    prestate: Prestate,
    engine: SimulationEngine,
    chain_id: int,
) -> Mapping[bytes, Executed]:
    """Return what execution tells of each transaction by hash; a coinbase does not pay itself.

    The calls of an execution that left other logs than the receipts' are not those that landed.
    """
    base_fee = block.header.base_fee_per_gas_wei
    results = execute_block(engine, prestate, block, chain_id).sim.txs
    return {
        tx.hash: Executed(
            0
            if tx.sender == block.header.coinbase
            else result.coinbase_payment_wei - result.gas_used * tx.effective_priority_fee_wei(base_fee),
            result.calls if tuple(result.logs) == tuple(receipt.logs) else (),
        )
        for tx, result, receipt in zip(block.transactions, results, receipts, strict=True)
    }
