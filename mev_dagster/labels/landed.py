"""A block as it landed: its transactions with what their receipts say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Log, Receipt
from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_CODES
from mev_dagster.errors import InputError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import CallFrame
from mev_dagster.labels.payments import Executed

NOT_EXECUTED: Mapping[bytes, Executed] = {}
_UNTOLD = Executed(0, ())


@dataclass(frozen=True, slots=True)
class LandedTx:
    """One transaction of a block. `direct_payment_wei` is what it gave the coinbase besides its tip,
    `frames` its calls where they are known: ether moves with them, and leaves no log.

    Before Byzantium receipts do not say who succeeded, and everybody is taken to have.
    """

    index: int
    tx: Transaction
    succeeded: bool
    logs: tuple[Log, ...]
    gas_used: int
    gas_cost_wei: int
    direct_payment_wei: int
    frames: tuple[CallFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class LandedBlock:
    """A block to be labelled. `wrapped_ether` is None where the block touched none that we know."""

    number: int
    hash: bytes
    timestamp: int
    wrapped_ether: bytes | None
    txs: tuple[LandedTx, ...]


def landed_block(
    block: Block,
    receipts: Sequence[Receipt],
    wrapped_ether: bytes | None,
    told: Mapping[bytes, Executed] = NOT_EXECUTED,
) -> LandedBlock:
    """Join a block with its receipts, and with what execution told of its transactions."""
    if len(receipts) != len(block.transactions):
        raise InputError(
            f"block {block.header.number}: {len(block.transactions)} transactions, {len(receipts)} receipts"
        )
    base_fee = block.header.base_fee_per_gas_wei
    txs = tuple(
        LandedTx(
            index=index,
            tx=tx,
            succeeded=receipt.status != 0,
            logs=receipt.logs,
            gas_used=receipt.gas_used,
            gas_cost_wei=receipt.gas_used * tx.effective_gas_price_wei(base_fee),
            direct_payment_wei=told.get(tx.hash, _UNTOLD).direct_payment_wei,
            frames=told.get(tx.hash, _UNTOLD).frames,
        )
        for index, (tx, receipt) in enumerate(zip(block.transactions, receipts, strict=True))
    )
    return LandedBlock(block.header.number, block.hash, block.header.timestamp, wrapped_ether, txs)


def wrapped_ether_in(state: Prestate) -> bytes | None:
    """Return the token that wraps ether among the accounts of a state."""
    return next(
        (
            address
            for address, account in sorted(state.accounts.items())
            if account.code_hash in WRAPPED_ETHER_CODES
        ),
        None,
    )
