"""Paying the proposer: by the block's last transaction, or by naming the proposer as the coinbase."""

from dataclasses import dataclass, replace
from enum import StrEnum

from mev_dagster.chain.keccak import EMPTY_CODE_HASH
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError
from mev_dagster.evm.types import StateSession, StateSource, TxStatus
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.context import BlockContext, Proposer
from mev_dagster.pbs.keys import PayoutKey
from mev_dagster.pbs.signing import PUBLIC_CHAIN_IDS

TRANSFER_GAS = 21_000
CONTRACT_GAS_LIMIT = 200_000


class Payment(StrEnum):
    """How the proposer is paid."""

    TRANSACTION = "transaction"
    COINBASE = "coinbase"


def payment_for(chain_id: int) -> Payment:
    """Return how to pay on a chain: no transaction of ours is ever signed for a public one."""
    return Payment.COINBASE if chain_id in PUBLIC_CHAIN_IDS else Payment.TRANSACTION


@dataclass(frozen=True, slots=True)
class Payout:
    """Signs the paying transaction of one block."""

    key: PayoutKey
    context: BlockContext
    proposer: Proposer
    nonce: int
    gas_limit: int

    @property
    def cost_wei(self) -> int:
        """The most the transaction itself can burn, which its sender must hold besides the bid."""
        return self.gas_limit * self.context.base_fee_per_gas_wei

    def sign(self, value_wei: int) -> Transaction:
        """Sign the payment of `value_wei`."""
        return self.key.sign_payment(
            chain_id=self.context.schedule.chain_id,
            nonce=self.nonce,
            to=self.proposer.fee_recipient,
            value_wei=value_wei,
            gas_limit=self.gas_limit,
            base_fee_wei=self.context.base_fee_per_gas_wei,
        )


def plan_payout(state: StateSource, key: PayoutKey, context: BlockContext, proposer: Proposer) -> Payout:
    """Reserve gas for paying this proposer: 21,000 for an account, a fixed limit for a contract."""
    recipient = state.account(proposer.fee_recipient)
    gas_limit = TRANSFER_GAS if recipient.code_hash == EMPTY_CODE_HASH else CONTRACT_GAS_LIMIT
    return Payout(key, context, proposer, state.account(key.address).nonce, gas_limit)


def fitted(session: StateSession, payout: Payout) -> Payout:
    """Return the payout with the least gas it succeeds with where it will stand; raise when it never does.

    The whole gas limit must be affordable, so every unit above that is a unit the bid cannot use.
    """
    if payout.gas_limit == TRANSFER_GAS:
        return payout
    if not _succeeds(session, payout):
        address = to_hex(payout.proposer.fee_recipient)
        raise InputError(f"fee recipient {address} does not take a payment within {payout.gas_limit} gas")
    too_little, enough = TRANSFER_GAS - 1, payout.gas_limit
    while enough - too_little > 1:
        middle = (too_little + enough) // 2
        if _succeeds(session, replace(payout, gas_limit=middle)):
            enough = middle
        else:
            too_little = middle
    return replace(payout, gas_limit=enough)


def _succeeds(session: StateSession, payout: Payout) -> bool:
    return session.run((payout.sign(0),)).txs[0].status is TxStatus.SUCCESS
