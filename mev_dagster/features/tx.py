"""One pending transaction as the search sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.intent import swap_intent
from mev_dagster.dex.venue import SwapIntent
from mev_dagster.errors import MissingState
from mev_dagster.evm.types import BlockEnv, StateSource
from mev_dagster.features.mempool import PendingTx


@dataclass(frozen=True, slots=True)
class TxFeatures:
    """What a pending transaction asks for and offers.

    `priority_fee_wei` is None when its fee cap is below the block's base fee. `fee_rank` 0 pays the highest
    tip. `nonce_gap` is None when the captured state does not hold the sender.
    """

    tx_hash: bytes
    sender: bytes
    router: bytes | None
    call: SwapIntent | None
    gas_price_wei: int | None
    priority_fee_wei: int | None
    fee_rank: int
    nonce_gap: int | None
    age_ns: int
    sightings: int


def features_of(
    pending: Sequence[PendingTx], state: StateSource, env: BlockEnv, at_ns: int
) -> dict[bytes, TxFeatures]:
    """Return the features of every pending transaction, by hash, for a block that arrives at `at_ns`."""
    ranks = _fee_ranks([entry.tx for entry in pending], env.base_fee_per_gas_wei)
    return {
        entry.tx.hash: _features(entry, ranks[entry.tx.hash], state, env.base_fee_per_gas_wei, at_ns)
        for entry in pending
    }


def _features(
    entry: PendingTx, fee_rank: int, state: StateSource, base_fee_wei: int | None, at_ns: int
) -> TxFeatures:
    tx = entry.tx
    call = None if tx.to is None else swap_intent(tx.data, tx.value_wei)
    tip = tx.effective_priority_fee_wei(base_fee_wei)
    return TxFeatures(
        tx_hash=tx.hash,
        sender=tx.sender,
        router=tx.to if call else None,
        call=call,
        gas_price_wei=tx.effective_gas_price_wei(base_fee_wei) if tip >= 0 else None,
        priority_fee_wei=tip if tip >= 0 else None,
        fee_rank=fee_rank,
        nonce_gap=_nonce_gap(tx, state),
        age_ns=at_ns - entry.first_seen_ns,
        sightings=entry.sightings,
    )


def _fee_ranks(txs: Sequence[Transaction], base_fee_wei: int | None) -> dict[bytes, int]:
    by_tip = sorted(txs, key=lambda tx: (-tx.effective_priority_fee_wei(base_fee_wei), tx.hash))
    return {tx.hash: rank for rank, tx in enumerate(by_tip)}


def _nonce_gap(tx: Transaction, state: StateSource) -> int | None:
    try:
        return tx.nonce - state.account(tx.sender).nonce
    except MissingState:
        return None
