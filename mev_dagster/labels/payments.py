"""What transactions gave the coinbase besides their tips: it leaves no log, so the block is executed."""

from mev_dagster.chain.blocks import Block
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import SimulationEngine


def direct_payments_wei(
    block: Block, prestate: Prestate, engine: SimulationEngine, chain_id: int
) -> dict[bytes, int]:
    """Return the direct payment of each transaction by hash; a coinbase does not pay itself."""
    base_fee = block.header.base_fee_per_gas_wei
    results = execute_block(engine, prestate, block, chain_id).sim.txs
    return {
        tx.hash: result.coinbase_payment_wei - result.gas_used * tx.effective_priority_fee_wei(base_fee)
        for tx, result in zip(block.transactions, results, strict=True)
        if tx.sender != block.header.coinbase
    }
