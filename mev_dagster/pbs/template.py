"""From ranked candidates and pending transactions to a sealed block that pays its proposer, and a bid."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import MissingState
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.state.protocol_accounts import knowing_protocol_accounts
from mev_dagster.evm.types import SimulationEngine, StateSource
from mev_dagster.pbs.bidding import BidContext, BidStrategy, TrueValue, offer_wei
from mev_dagster.pbs.bls import PUBKEY_BYTES, SIGNATURE_BYTES
from mev_dagster.pbs.context import BlockContext, Proposer
from mev_dagster.pbs.filled import BlockPlan, FilledBlock, fill
from mev_dagster.pbs.keys import Keyring, PayoutKey
from mev_dagster.pbs.ordering import DEFAULT_RETRIES, Dropped, Included
from mev_dagster.pbs.orders import Candidate, Order, OrderKind, Resigner, orders_of
from mev_dagster.pbs.payload import payload_of
from mev_dagster.pbs.payout import TRANSFER_GAS, Payment, Payout, fitted, payment_for, plan_payout
from mev_dagster.pbs.schema import BID_TRACE
from mev_dagster.pbs.seal import SealedBlock, seal
from mev_dagster.pbs.sidecars import Sidecars
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION
from mev_dagster.pbs.sim_values import PLAIN_ORDERINGS, Ordering
from mev_dagster.pbs.types import BidTrace, BlobsBundle, ConsensusFork, SubmitBlockRequest

MOST_PAYOUT_GAS = 1_000_000
"""More than that no recipient is worth: the block is built with it as the coinbase instead."""
NO_SIDECARS: Mapping[bytes, BlobsBundle] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BlockTemplate:
    """A sealed block and how it came about. All amounts are wei.

    `block_value_wei` is what the transactions pay the coinbase, `payout_cost_wei` what paying the proposer
    burns, `bid_wei` what the proposer gets; `profit_wei` is what remains for the builder. A bid of 0 means
    that the block is worth nothing to the proposer and is not to be submitted. `values_wei` is what the same
    orders are worth by each ordering that was tried; the block is the first of the best.
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
    values_wei: Mapping[Ordering, int] = field(default_factory=dict)
    blobs: BlobsBundle = field(default_factory=BlobsBundle)

    @property
    def ordering(self) -> Ordering:
        """The ordering that made the block."""
        return max(self.values_wei, key=self.values_wei.__getitem__, default=Ordering.GAS_PRICE)

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
    strategy: BidStrategy | None = None,
    **options: Any,
) -> BlockTemplate:
    """Build the block of one bidding strategy; `options` are those of `build_templates`."""
    (template,) = build_templates(
        engine, state, context, proposer, keys, strategies=(strategy or TrueValue(),), **options
    )
    return template


def build_templates(
    engine: SimulationEngine,
    state: StateSource,
    context: BlockContext,
    proposer: Proposer,
    keys: Keyring,
    *,
    strategies: Sequence[BidStrategy],
    candidates: Iterable[Candidate] = (),
    resigner: Resigner[Candidate] | None = None,
    pending: Iterable[Transaction] = (),
    top_bid_wei: int | None = None,
    ms_into_slot: int = 0,
    payment: Payment | None = None,
    retries: int = DEFAULT_RETRIES,
    orderings: Sequence[Ordering] = PLAIN_ORDERINGS,
    bundles: Iterable[Order] = (),
    sidecars: Mapping[bytes, BlobsBundle] = NO_SIDECARS,
) -> tuple[BlockTemplate, ...]:
    """Fill once, then pay and seal for each strategy; templates stand as their strategies do.

    A pure function: equal inputs and keys give equal blocks, hash included. Strategies that bid the same
    share their block. It is filled by the best of `orderings` and of their merge. `sidecars`
    are blobs by transaction; a blob transaction without them stays out.

    Where the fee recipient takes no payment, the block is built once more with it as the coinbase: that is
    credited without running its code, so no recipient costs the block. It then gains all the block is worth,
    and that is the bid of every strategy that makes one.
    """
    plan = BlockPlan(
        engine,
        context,
        (*orders_of(candidates, resigner), *bundles),
        tuple(pending),
        retries,
        tuple(orderings),
        Sidecars(context.consensus_fork, sidecars),
    )
    payment = payment or payment_for(context.schedule.chain_id)
    if isinstance(state, Prestate):
        state = knowing_protocol_accounts(state, context.env(proposer.fee_recipient))
    if payment is Payment.TRANSACTION:
        known = knowing_own_account(state, keys.payout)
        payout = plan_payout(known, keys.payout, context, proposer)
        filled = fill(plan, known, keys.payout.address, payout.gas_limit, payout.refund)
        payout = replace(payout, nonce=payout.nonce + filled.refunds_paid)
        own_wei = known.account(keys.payout.address).balance_wei
        paid = [
            _pay(filled, payout, BiddingTerms(strategy, top_bid_wei, ms_into_slot), own_wei)
            for strategy in strategies
        ]
        if None not in paid:
            return _each_sealed_once(plan, known, proposer, filled, [bid for bid in paid if bid is not None])
    filled = fill(plan, state, proposer.fee_recipient, 0, None)
    bids = [
        filled.value_wei if BiddingTerms(strategy, top_bid_wei, ms_into_slot).bid(filled.value_wei) else 0
        for strategy in strategies
    ]
    return _each_sealed_once(plan, state, proposer, filled, [(bid, None) for bid in bids])


def _each_sealed_once(
    plan: BlockPlan,
    state: StateSource,
    proposer: Proposer,
    filled: FilledBlock,
    paid: Sequence[tuple[int, Transaction | None]],
) -> tuple[BlockTemplate, ...]:
    """Seal the block once for each bid that differs."""
    sealed: dict[tuple[int, bytes], BlockTemplate] = {}
    for bid_wei, payout in paid:
        key = bid_wei, b"" if payout is None else payout.hash
        if key not in sealed:
            sealed[key] = _sealed(plan, state, proposer, filled, bid_wei, payout)
    return tuple(sealed[bid_wei, b"" if payout is None else payout.hash] for bid_wei, payout in paid)


def _sealed(
    plan: BlockPlan,
    state: StateSource,
    proposer: Proposer,
    filled: FilledBlock,
    bid_wei: int,
    payout: Transaction | None,
) -> BlockTemplate:
    context = plan.context
    txs = [tx for item in filled.included for tx in item.order.txs]
    sealed = seal(plan.engine, state, context, filled.coinbase, txs if payout is None else [*txs, payout])
    cost = 0 if payout is None else sealed.simulation.txs[-1].gas_used * context.base_fee_per_gas_wei
    return BlockTemplate(
        context=context,
        proposer=proposer,
        payment=Payment.COINBASE if filled.coinbase == proposer.fee_recipient else Payment.TRANSACTION,
        sealed=sealed,
        included=filled.included,
        dropped=filled.dropped,
        payout=payout,
        block_value_wei=filled.value_wei,
        payout_cost_wei=cost,
        bid_wei=bid_wei,
        values_wei=filled.values_wei,
        blobs=plan.sidecars.bundle(txs),
    )


@dataclass(frozen=True, slots=True)
class BiddingTerms:
    """The bidding strategy with what is known of the competition."""

    strategy: BidStrategy
    top_bid_wei: int | None
    ms_into_slot: int

    def bid(self, block_value_wei: int, affordable_wei: int | None = None) -> int:
        """Return the bid, 0 for none, never more than the builder will hold when it pays."""
        context = BidContext(block_value_wei, self.top_bid_wei, self.ms_into_slot, affordable_wei)
        return offer_wei(self.strategy, context)


def _pay(
    filled: FilledBlock, payout: Payout, terms: BiddingTerms, own_wei: int
) -> tuple[int, Transaction | None] | None:
    """Return the bid and the transaction that pays it; (0, None) where there is nothing to bid.

    None: there is a bid, and the recipient takes no payment of it.
    """

    def amount_at(cost_wei: int) -> int:
        return terms.bid(filled.value_wei - cost_wei, filled.value_wei + own_wei - cost_wei)

    if not amount_at(replace(payout, gas_limit=TRANSFER_GAS).cost_wei):
        return 0, None
    found = fitted(filled.session, payout, min(filled.gas_room, MOST_PAYOUT_GAS), amount_at)
    if found is None:
        return None
    fit, bid = found
    return bid, fit.sign(bid)


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
        blobs_bundle=template.blobs if fork >= ConsensusFork.DENEB else None,
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
