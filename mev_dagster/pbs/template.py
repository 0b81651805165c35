"""From ranked candidates and pending transactions to a sealed block that pays its proposer, and a bid."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError, MissingState
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import SimulationEngine, StateSession, StateSource, TxStatus
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.bidding import BidContext, BidStrategy, TrueValue, offer_wei
from mev_dagster.pbs.bls import PUBKEY_BYTES, SIGNATURE_BYTES
from mev_dagster.pbs.context import BlockContext, Proposer
from mev_dagster.pbs.keys import Keyring, PayoutKey
from mev_dagster.pbs.ordering import DEFAULT_RETRIES, Dropped, Filling, Included
from mev_dagster.pbs.orders import Candidate, OrderKind, Resigner, orders_of
from mev_dagster.pbs.payload import payload_of
from mev_dagster.pbs.payout import Payment, Payout, fitted, payment_for, plan_payout
from mev_dagster.pbs.schema import BID_TRACE
from mev_dagster.pbs.seal import SealedBlock, seal
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION
from mev_dagster.pbs.types import BidTrace, BlobsBundle, ConsensusFork, SubmitBlockRequest


@dataclass(frozen=True, slots=True)
class BlockTemplate:
    """A sealed block and how it came about. All amounts are wei.

    `block_value_wei` is what the transactions pay the coinbase, `payout_cost_wei` what paying the proposer
    burns, `bid_wei` what the proposer gets; `profit_wei` is what remains for the builder. A bid of 0 means
    that the block is worth nothing to the proposer and is not to be submitted.
    """

    context: BlockContext
    proposer: Proposer
    payment: Payment
    sealed: SealedBlock
    included: tuple[Included, ...]
    dropped: tuple[Dropped, ...]
    payout: Transaction | None
    block_value_wei: int
    payout_cost_wei: int
    bid_wei: int

    @property
    def profit_wei(self) -> int:
        """What remains for the builder's coinbase."""
        return self.block_value_wei - self.payout_cost_wei - self.bid_wei

    @property
    def opportunity_ids(self) -> tuple[bytes, ...]:
        """The candidates in the block, in order."""
        return tuple(item.order.order_id for item in self.included if item.order.kind is OrderKind.CANDIDATE)


def build_template(
    engine: SimulationEngine,
    state: StateSource,
    context: BlockContext,
    proposer: Proposer,
    keys: Keyring,
    *,
    candidates: Iterable[Candidate] = (),
    resigner: Resigner[Candidate] | None = None,
    pending: Iterable[Transaction] = (),
    strategy: BidStrategy | None = None,
    top_bid_wei: int | None = None,
    ms_into_slot: int = 0,
    payment: Payment | None = None,
    retries: int = DEFAULT_RETRIES,
) -> BlockTemplate:
    """Fill, pay, seal. A pure function: equal inputs and keys give an equal block, hash included."""
    payment = payment or payment_for(context.schedule.chain_id)
    if payment is Payment.COINBASE:
        coinbase, payout = proposer.fee_recipient, None
    else:
        state = knowing_own_account(state, keys.payout)
        coinbase, payout = keys.payout.address, plan_payout(state, keys.payout, context, proposer)

    session = engine.session(state, context.env(coinbase))
    filling = Filling(
        session,
        gas=context.gas_limit - (payout.gas_limit if payout else 0),
        base_fee_per_gas_wei=context.base_fee_per_gas_wei,
    )
    filling.add_candidates(orders_of(candidates, resigner), retries=retries)
    filling.add_pending(pending)

    value = sum(item.value_wei for item in filling.included)
    auction = BiddingTerms(strategy or TrueValue(), top_bid_wei, ms_into_slot)
    purse = state.account(coinbase).balance_wei if payout else 0
    bid, payments = _pay(session, payout, value, purse, auction)
    chosen = [tx for item in filling.included for tx in item.order.txs]
    sealed = seal(engine, state, context, coinbase, [*chosen, *payments])
    cost = _cost_of_payment(sealed, proposer, context) if payments else 0
    return BlockTemplate(
        context=context,
        proposer=proposer,
        payment=payment,
        sealed=sealed,
        included=tuple(filling.included),
        dropped=tuple(filling.dropped),
        payout=payments[0] if payments else None,
        block_value_wei=value,
        payout_cost_wei=cost,
        bid_wei=bid,
    )


@dataclass(frozen=True, slots=True)
class BiddingTerms:
    """The bidding strategy with what is known of the competition."""

    strategy: BidStrategy
    top_bid_wei: int | None
    ms_into_slot: int

    def bid(self, block_value_wei: int, affordable_wei: int) -> int:
        """Return the bid, 0 for none; never more than can be paid."""
        context = BidContext(block_value_wei, self.top_bid_wei, self.ms_into_slot, affordable_wei)
        return offer_wei(self.strategy, context)


def _pay(
    session: StateSession, payout: Payout | None, value_wei: int, purse_wei: int, auction: BiddingTerms
) -> tuple[int, tuple[Transaction, ...]]:
    """Return the bid, and the paying transaction where there is one; `purse_wei` is the payer's own money.

    A proposer that is the coinbase is paid by every transaction: the bid is the whole value.
    """
    if payout is None:
        return max(value_wei, 0), ()
    if not _bid_with(payout, value_wei, purse_wei, auction):
        return 0, ()
    payout = fitted(session, payout)
    bid = _bid_with(payout, value_wei, purse_wei, auction)
    return (bid, (payout.sign(bid),)) if bid else (0, ())


def _bid_with(payout: Payout, value_wei: int, purse_wei: int, auction: BiddingTerms) -> int:
    left_wei = value_wei - payout.cost_wei
    return auction.bid(left_wei, purse_wei + left_wei)


def _cost_of_payment(sealed: SealedBlock, proposer: Proposer, context: BlockContext) -> int:
    """Return what the payment burned in the sealed block; raise when the recipient refused it there."""
    result = sealed.simulation.txs[-1]
    if result.status is not TxStatus.SUCCESS:
        address = to_hex(proposer.fee_recipient)
        raise InputError(f"fee recipient {address} refused the payment: {result.status} {result.detail}")
    return result.gas_used * context.base_fee_per_gas_wei


def knowing_own_account(state: StateSource, key: PayoutKey) -> StateSource:
    """Add the builder's own account, fresh and empty, to a witness that cannot know of it."""
    if isinstance(state, Prestate):
        try:
            state.account(key.address)
        except MissingState:
            return state.with_overrides({key.address: AccountOverride(balance_wei=0, nonce=0)})
    return state


def unsigned_submission(template: BlockTemplate) -> SubmitBlockRequest:
    """Return what goes to the relay but for who offers it: no builder's key, no signature."""
    fork = template.context.consensus_fork
    payload = payload_of(template.sealed.block)
    message = BidTrace(
        slot=template.context.slot,
        parent_hash=payload.parent_hash,
        block_hash=payload.block_hash,
        builder_pubkey=bytes(PUBKEY_BYTES),
        proposer_pubkey=template.proposer.pubkey,
        proposer_fee_recipient=template.proposer.fee_recipient,
        gas_limit=payload.gas_limit,
        gas_used=payload.gas_used,
        value=template.bid_wei,
    )
    return SubmitBlockRequest(
        fork=fork,
        message=message,
        execution_payload=payload,
        signature=bytes(SIGNATURE_BYTES),
        blobs_bundle=BlobsBundle() if fork >= ConsensusFork.DENEB else None,
        execution_requests=template.sealed.requests,
    )


def signed(
    submission: SubmitBlockRequest,
    keys: Keyring,
    *,
    genesis_fork_version: bytes = SANDBOX_GENESIS_FORK_VERSION,
) -> SubmitBlockRequest:
    """Offer a sealed block as this builder, under the sandbox's domain. The block and its hash stay."""
    message = replace(submission.message, builder_pubkey=keys.bls.pubkey)
    return replace(
        submission, message=message, signature=keys.bls.sign(BID_TRACE, message, genesis_fork_version)
    )


def submission_of(
    template: BlockTemplate, keys: Keyring, *, genesis_fork_version: bytes = SANDBOX_GENESIS_FORK_VERSION
) -> SubmitBlockRequest:
    """Sign the template's bid under the sandbox's domain and return what goes to the relay."""
    return signed(unsigned_submission(template), keys, genesis_fork_version=genesis_fork_version)
