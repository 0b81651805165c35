"""From chosen transactions to a block: execute, compute every root, hash the header."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mev_dagster.chain.access_lists import access_list_hash
from mev_dagster.chain.blocks import (
    Block,
    Header,
    Withdrawal,
    header_hash,
    transactions_root,
    withdrawals_root,
)
from mev_dagster.chain.fees import GAS_PER_BLOB
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import Receipt, logs_bloom
from mev_dagster.chain.requests import requests_hash
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import DecodeError, InputError, MissingState
from mev_dagster.evm.blocks import receipts_of, root_of
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.whole_tree import root_after
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.types import AccountDiff, SimResult, SimulationEngine, StateSource
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.context import BlockContext
from mev_dagster.pbs.payload import EMPTY_UNCLES_HASH
from mev_dagster.pbs.schema import EXECUTION_REQUESTS
from mev_dagster.pbs.types import ExecutionRequests

UNKNOWN_STATE_ROOT = bytes(32)
EXTRA_DATA = b"mev_dagster dry run"


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """A block whose header commits to what executing it gave.

    Where the prestate is a witness only, the state root cannot be known: it is zeros, `state_root_known` is
    false, and the block hash is provisional.
    """

    block: Block
    receipts: tuple[Receipt, ...]
    requests: ExecutionRequests | None
    simulation: SimResult
    state_root_known: bool


def seal(
    engine: SimulationEngine,
    state: StateSource,
    context: BlockContext,
    coinbase: bytes,
    transactions: Sequence[Transaction],
    *,
    extra_data: bytes = EXTRA_DATA,
) -> SealedBlock:
    """Execute the transactions from the parent's state as a whole block, and seal it."""
    env = context.env(coinbase)
    txs = tuple(transactions)
    result = engine.simulate(
        state,
        env,
        txs,
        begin_block=True,
        withdrawals=known_withdrawals(state, context.withdrawals),
        end_block=True,
    )
    if result.rejected:
        first = result.rejected[0]
        raise InputError(f"transaction {first.index} cannot be in the block: {first.result.error}")
    receipts = receipts_of(txs, result.txs, env.fork)
    requests = requests_of(result.requests) if Fork.PRAGUE <= env.fork < Fork.AMSTERDAM else None
    root = state_root_after(state, result.state_diff)
    header = Header(
        parent_hash=context.parent_hash,
        uncles_hash=EMPTY_UNCLES_HASH,
        coinbase=coinbase,
        state_root=UNKNOWN_STATE_ROOT if root is None else root,
        transactions_root=transactions_root(txs),
        receipts_root=root_of(receipts, result),
        logs_bloom=logs_bloom([log for receipt in receipts for log in receipt.logs]),
        difficulty=0,
        number=context.number,
        gas_limit=context.gas_limit,
        gas_used=result.gas_used,
        timestamp=context.timestamp,
        extra_data=extra_data,
        mix_hash=context.prev_randao,
        nonce=bytes(8),
        base_fee_per_gas_wei=context.base_fee_per_gas_wei,
        withdrawals_root=None if context.withdrawals is None else withdrawals_root(context.withdrawals),
        blob_gas_used=None if context.excess_blob_gas is None else blob_gas_used(txs),
        excess_blob_gas=context.excess_blob_gas,
        parent_beacon_block_root=context.parent_beacon_block_root,
        requests_hash=None if env.fork < Fork.PRAGUE else requests_hash(result.requests),
        block_access_list_hash=None if result.access_list is None else access_list_hash(result.access_list),
        slot_number=env.slot_number if env.fork >= Fork.AMSTERDAM else None,
    )
    block = Block(header_hash(header), header, txs, (), context.withdrawals)
    return SealedBlock(block, receipts, requests, result, root is not None)


def known_withdrawals(state: StateSource, withdrawals: Sequence[Withdrawal] | None) -> tuple[Withdrawal, ...]:
    """Return the withdrawals whose recipients the state knows: all of them, but on a witness.

    A witness of a block's transactions need not list validators. No transaction can see a withdrawal of its
    own block, so leaving them out changes nothing but the state root, which a witness cannot give anyway.
    """
    if not isinstance(state, Prestate) or state.complete:
        return tuple(withdrawals or ())
    known = []
    for withdrawal in withdrawals or ():
        with suppress(MissingState):
            state.account(withdrawal.address)
            known.append(withdrawal)
    return tuple(known)


def blob_gas_used(transactions: Sequence[Transaction]) -> int:
    """Return the blob gas of a block."""
    return sum(GAS_PER_BLOB * len(tx.blob_versioned_hashes) for tx in transactions)


def state_root_after(state: StateSource, state_diff: Mapping[bytes, AccountDiff]) -> bytes | None:
    """Return the state root after these changes, or None where what is known of the state does not reach."""
    if isinstance(state, Witness):
        with suppress(MissingState):
            return state.root_after(state_diff)
        return None
    if not isinstance(state, Prestate) or not state.complete:
        return None
    return root_after(state, state_diff)


def requests_of(encoded: Sequence[bytes]) -> ExecutionRequests:
    """Return a block's requests as values; each begins with its type (EIP-7685)."""
    values = {}
    for request in encoded:
        if not request or request[0] >= len(EXECUTION_REQUESTS.fields):
            raise DecodeError("unknown_request", f"{to_hex(request[:1])} is no request type")
        item = EXECUTION_REQUESTS.fields[request[0]]
        values[item.name] = item.type.decode(memoryview(request)[1:], f"requests.{item.name}")
    return ExecutionRequests(**values)
