"""Paying the proposer: by the block's last transaction, or by naming the proposer as the coinbase."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from mev_dagster.chain.keccak import EMPTY_CODE_HASH
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import MissingState
from mev_dagster.evm.types import StateSession, StateSource, TxStatus
from mev_dagster.pbs.context import BlockContext, Proposer
from mev_dagster.pbs.keys import PayoutKey
from mev_dagster.pbs.refunds import REFUND_GAS
from mev_dagster.pbs.signing import PUBLIC_CHAIN_IDS

TRANSFER_GAS = 21_000
CONTRACT_GAS_LIMIT = 200_000
"""Room that is kept for paying a contract."""
GAS_STEPS = (TRANSFER_GAS, 30_000, 60_000, 120_000, CONTRACT_GAS_LIMIT, 1_000_000)
"""Gas limits that are tried for a payment, one after the other."""


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
        return self._signed(self.nonce, self.proposer.fee_recipient, value_wei, self.gas_limit)

    def refund(self, place: int, to: bytes, value_wei: int) -> Transaction:
        """Sign the block's refund number `place`; all refunds stand before the proposer's payment."""
        return self._signed(self.nonce + place, to, value_wei, REFUND_GAS)

    def _signed(self, nonce: int, to: bytes, value_wei: int, gas_limit: int) -> Transaction:
        return self.key.sign_payment(
            chain_id=self.context.schedule.chain_id,
            nonce=nonce,
            to=to,
            value_wei=value_wei,
            gas_limit=gas_limit,
            base_fee_wei=self.context.base_fee_per_gas_wei,
        )


def plan_payout(state: StateSource, key: PayoutKey, context: BlockContext, proposer: Proposer) -> Payout:
    """Reserve gas for paying this proposer: 21,000 for an account, a fixed limit for a contract."""
    recipient = state.account(proposer.fee_recipient)
    gas_limit = TRANSFER_GAS if recipient.code_hash == EMPTY_CODE_HASH else CONTRACT_GAS_LIMIT
    return Payout(key, context, proposer, state.account(key.address).nonce, gas_limit)


def fitted(
    session: StateSession, payout: Payout, gas_room: int, amount_at: Callable[[int], int]
) -> tuple[Payout, int] | None:
    """Return the payout with the least gas it succeeds with where it will stand, and the amount it pays.

    `amount_at` gives the wei to pay when the payment itself may burn so many; 0 is no payment. Every trial
    pays what would be paid at its gas, behind everything the block holds: a recipient may have got its code
    in this very block (EIP-7702), may store the amount, hand it on, or refuse nothing at all. None: the
    recipient takes no payment within `gas_room`.
    """
    too_little = TRANSFER_GAS - 1
    for gas_limit in [step for step in GAS_STEPS if step < gas_room] + [gas_room]:
        if gas_limit < TRANSFER_GAS or not amount_at(replace(payout, gas_limit=gas_limit).cost_wei):
            break
        if _succeeds(session, payout, gas_limit, amount_at):
            enough = gas_limit
            while enough - too_little > 1:
                middle = (too_little + enough) // 2
                if _succeeds(session, payout, middle, amount_at):
                    enough = middle
                else:
                    too_little = middle
            found = replace(payout, gas_limit=enough)
            return found, amount_at(found.cost_wei)
        too_little = gas_limit
    return None


def _succeeds(session: StateSession, payout: Payout, gas_limit: int, amount_at: Callable[[int], int]) -> bool:
    at = replace(payout, gas_limit=gas_limit)
    try:
        return session.run((at.sign(amount_at(at.cost_wei)),)).txs[0].status is TxStatus.SUCCESS
    except MissingState:
        return False  # what the recipient's code reads is not in the witness
