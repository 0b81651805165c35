"""A block as it landed: its transactions with what their receipts say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Log, Receipt
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_CODES
from mev_dagster.errors import InputError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import CallFrame
from mev_dagster.labels.payments import Executed

NOT_EXECUTED: Mapping[bytes, Executed] = {}
_UNTOLD = Executed(0, ())


class Lack(StrEnum):
    """What a block's source does not tell."""

    LOGS = "logs"
    """What its calls say stands for them: a token's tax, its own mints and burns, are not seen."""
    CALLS = "calls"
    """Ether that moves without being wrapped is not seen."""
    GAS_PRICES = "gas prices"
    COINBASE_PAYMENTS = "payments to the coinbase"


class SentTx(Protocol):
    """What labels need to know of a transaction, signed or seen in a trace."""

    @property
    def hash(self) -> bytes: ...  # noqa: D102
    @property
    def sender(self) -> bytes: ...  # noqa: D102
    @property
    def to(self) -> bytes | None: ...  # noqa: D102
    @property
    def data(self) -> bytes: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class LandedTx:
    """One transaction of a block. `direct_payment_wei` is what it gave the coinbase besides its tip,
    `frames` its calls where they are known: ether moves with them, and leaves no log.

    Before Byzantium receipts do not say who succeeded, and everybody is taken to have.
    """

    index: int
    tx: SentTx
    succeeded: bool
    logs: tuple[Log, ...]
    gas_used: int
    gas_cost_wei: int
    direct_payment_wei: int
    frames: tuple[CallFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class LandedBlock:
    """A block to be labelled. `wrapped_ether` is None where the block touched none that we know.

    `lacks` is what its source does not tell; where prices of gas are among it no label has a net.
    """

    number: int
    hash: bytes
    timestamp: int
    wrapped_ether: bytes | None
    txs: tuple[LandedTx, ...]
    lacks: tuple[Lack, ...] = ()


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
    lacks = () if told or not txs else (Lack.CALLS, Lack.COINBASE_PAYMENTS)
    return LandedBlock(block.header.number, block.hash, block.header.timestamp, wrapped_ether, txs, lacks)


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
