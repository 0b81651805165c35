"""Block building: greedy with conflicts settled by execution, paid, sealed, and the same each time."""

import dataclasses
import json

import pytest
from pbs_devnet import (
    ADDRESSES,
    BASE_FEE,
    ETHER,
    FIRST_ONLY,
    GWEI,
    PROPOSER,
    TIP_JAR,
    Candidate,
    call,
    context,
    state,
    transfer,
)

from mev_dagster.captures.importers import read_block_file, read_codes
from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.networks import schedule_for
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.errors import RelayRefused, UnsupportedFork
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.types import TxStatus
from mev_dagster.pbs import bidding, checks
from mev_dagster.pbs.context import Proposer, context_of, gas_limit_towards
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.orders import Resigner
from mev_dagster.pbs.payload import block_of
from mev_dagster.pbs.payout import Payment
from mev_dagster.pbs.rows import template_rows
from mev_dagster.pbs.seal import seal
from mev_dagster.pbs.template import build_template, submission_of

ENGINE = get_engine()
KEYS_RING = Keyring.test_only("template tests")


def build(*, candidates=(), pending=(), at=None, on=None, **options):
    return build_template(
        ENGINE,
        on or state(),
        at or context(),
        options.pop("proposer", PROPOSER),
        KEYS_RING,
        candidates=candidates,
        pending=pending,
        **options,
    )


def codes(template):
    return [item.code for item in template.dropped]


def test_candidates_stand_first_then_pending_by_tip_then_the_payment():
    candidate = Candidate((call(0, TIP_JAR), call(1, TIP_JAR)), ETHER)
    pending = [transfer(2, tip_gwei=10), transfer(3, tip_gwei=30), transfer(4, tip_gwei=20)]
    template = build(candidates=[candidate], pending=pending)
    order = [*candidate.txs, pending[1], pending[2], pending[0], template.payout]
    assert list(template.sealed.block.transactions) == order
    assert template.opportunity_ids == (candidate.opportunity_id,)
    assert template.dropped == ()


def test_one_sender_s_transactions_keep_their_nonce_order():
    pending = [transfer(2, 1, tip_gwei=9), transfer(2, 0, tip_gwei=1), transfer(3, 0, tip_gwei=6)]
    block = build(pending=pending).sealed.block
    assert list(block.transactions[:3]) == [pending[2], pending[1], pending[0]]


def test_the_better_of_two_conflicting_candidates_wins():
    poor = Candidate((call(0, FIRST_ONLY),), 5)
    rich = Candidate((call(1, FIRST_ONLY),), 6)
    template = build(candidates=[poor, rich])
    assert template.opportunity_ids == (rich.opportunity_id,)
    assert codes(template) == ["simulation_changed"]
    assert "transaction 0" in template.dropped[0].detail


def test_candidates_with_a_common_victim_exclude_each_other():
    victim = transfer(2)
    first = Candidate((victim, call(0, TIP_JAR)), 9 * ETHER)
    second = Candidate((victim, call(1, TIP_JAR)), 8 * ETHER)
    template = build(candidates=[second, first], pending=[victim])
    assert template.opportunity_ids == (first.opportunity_id,)
    assert codes(template) == ["conflict"]
    assert template.sealed.block.transactions.count(victim) == 1


def test_a_candidate_worth_less_here_is_retried_at_its_lower_value():
    """Both tip 10 gwei alone; the second caller earns 5. It stays in, behind one that is worth 7."""
    first = Candidate((call(0, TIP_JAR),), 2)
    second = Candidate((call(1, TIP_JAR),), 1)
    other = Candidate((call(2, FIRST_ONLY, tip_gwei=0),), 6 * GWEI)
    template = build(candidates=[first, second, other])
    assert template.opportunity_ids == tuple(c.opportunity_id for c in (first, other, second))
    assert [item.value_wei for item in template.included] == [10 * GWEI, GWEI, 5 * GWEI]
    without_retries = build(candidates=[first, second, other], retries=0)
    assert codes(without_retries) == ["lower_inserted_value"]


def test_a_second_candidate_of_one_sender_is_signed_again_for_the_nonce_it_stands_at():
    first = Candidate((transfer(5), call(0, TIP_JAR)), 9 * ETHER)
    second = Candidate((transfer(6), call(0, FIRST_ONLY)), 8 * ETHER)

    def sign_again(candidate, count):
        return (candidate.txs[0], call(0, candidate.txs[1].to, nonce=count))

    template = build(candidates=[first, second], resigner=Resigner(ADDRESSES[0], sign_again))
    assert template.opportunity_ids == (first.opportunity_id, second.opportunity_id)
    assert [tx.nonce for tx in template.sealed.block.transactions[:4]] == [0, 0, 0, 1]
    without = build(candidates=[first, second])
    assert codes(without) == ["simulation_changed"]
    assert "nonce_too_low" in without.dropped[0].detail


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Candidate((transfer(0, nonce=3),), 5), "nonce_too_high"),
        (Candidate((call(0, FIRST_ONLY), call(1, FIRST_ONLY)), 5), "reverted"),
    ],
)
def test_a_candidate_that_does_not_execute_is_dropped_with_its_reason(candidate, reason):
    template = build(candidates=[candidate])
    assert codes(template) == ["not_executable"]
    assert reason in template.dropped[0].detail


def test_unverified_candidates_are_not_considered():
    template = build(candidates=[Candidate((transfer(0),), None), Candidate((transfer(1),), -1)])
    assert template.included == ()
    assert template.dropped == ()


def test_pending_transactions_that_cannot_enter_are_dropped_with_their_code():
    blob = sign_blob()
    pending = [
        transfer(0, nonce=5),
        transfer(1, max_fee=BASE_FEE - 1, tip_gwei=0),
        transfer(2, value_wei=1_000 * ETHER),
        transfer(3, gas_limit=30_000_001),
        blob,
    ]
    template = build(pending=pending)
    assert {item.order.txs[0].hash: item.code for item in template.dropped} == {
        pending[0].hash: "nonce_too_high",
        pending[1].hash: "fee_below_base",
        pending[2].hash: "insufficient_funds",
        pending[3].hash: "no_room",
        blob.hash: "blob_sidecar_absent",
    }


def sign_blob():
    from pbs_devnet import CHAIN_ID, KEYS

    return sign_transaction(
        KEYS[4],
        type=3,
        chain_id=CHAIN_ID,
        nonce=0,
        to=b"\x01" * 20,
        gas_limit=21_000,
        max_fee_per_gas_wei=10 * BASE_FEE,
        max_priority_fee_per_gas_wei=GWEI,
        max_fee_per_blob_gas_wei=GWEI,
        blob_versioned_hashes=[b"\x01" + bytes(31)],
    )


def test_a_reverted_pending_transaction_stays_because_it_pays():
    pending = [call(0, FIRST_ONLY, tip_gwei=2), call(1, FIRST_ONLY, tip_gwei=1)]
    template = build(pending=pending)
    statuses = [item.results[0].status for item in template.included]
    assert statuses == [TxStatus.SUCCESS, TxStatus.REVERTED]


def test_the_gas_limit_holds_with_room_kept_for_the_payment():
    small = context(gas_limit=21_000 * 3)
    template = build(pending=[transfer(n, tip_gwei=20 * n + 20) for n in range(4)], at=small)
    assert template.sealed.block.header.gas_used == 63_000
    assert codes(template) == ["no_room", "no_room"]
    assert template.payout is not None


def test_the_proposer_receives_the_bid_and_the_books_balance():
    template = build(
        pending=[transfer(n, tip_gwei=50) for n in range(3)], strategy=bidding.FixedMargin(1_000)
    )
    tips, cost = 3 * 21_000 * 50 * GWEI, 21_000 * BASE_FEE
    assert template.block_value_wei == tips
    assert template.payout_cost_wei == cost
    assert template.bid_wei == (tips - cost) - (tips - cost) // 10
    assert template.profit_wei == (tips - cost) // 10
    after = state().apply(template.sealed.simulation.state_diff)
    assert after.account(PROPOSER.fee_recipient).balance_wei == template.bid_wei
    assert after.account(KEYS_RING.payout.address).balance_wei == template.profit_wei
    assert template.payout.max_priority_fee_per_gas_wei == 0
    assert template.payout.to == PROPOSER.fee_recipient
    assert template.sealed.block.transactions[-1] == template.payout


def test_a_block_that_cannot_pay_for_its_payment_bids_nothing():
    template = build(pending=[transfer(0, tip_gwei=1)])
    assert template.bid_wei == 0
    assert template.payout is None
    assert template.profit_wei == template.block_value_wei > 0
    assert build().sealed.block.transactions == ()


def test_a_contract_recipient_is_paid_with_the_gas_it_needs_and_a_refusing_one_as_coinbase():
    pending = [transfer(n, tip_gwei=60) for n in range(6)]
    receiver, refuser = b"\xe1" * 20, b"\xe2" * 20
    on = state().with_overrides(
        {
            receiver: AccountOverride(nonce=1, code=bytes.fromhex("5f545f5500")),
            refuser: AccountOverride(nonce=1, code=bytes.fromhex("5f5ffd")),
        }
    )
    paid = build(pending=pending, on=on, proposer=Proposer(b"\xa5" * 48, receiver, 30_000_000))
    assert paid.bid_wei > 0
    assert paid.sealed.simulation.txs[-1].status is TxStatus.SUCCESS
    assert paid.payout.gas_limit > 21_000
    refused = build(pending=pending, on=on, proposer=Proposer(b"\xa5" * 48, refuser, 30_000_000))
    assert (refused.payment, refused.payout) == (Payment.COINBASE, None)
    assert refused.bid_wei == refused.block_value_wei > 0
    assert refused.sealed.block.header.coinbase == refuser


def test_equal_inputs_give_the_same_block_whatever_their_order():
    candidates = [Candidate((call(0, TIP_JAR),), 7), Candidate((call(1, FIRST_ONLY),), 7)]
    pending = [transfer(n, tip_gwei=30) for n in range(2, 8)]
    first = build(candidates=candidates, pending=pending)
    second = build(candidates=candidates[::-1], pending=pending[::-1])
    assert first.sealed.block.hash == second.sealed.block.hash
    assert submission_of(first, KEYS_RING) == submission_of(second, KEYS_RING)


@pytest.mark.parametrize("fork", [Fork.SHANGHAI, Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA])
def test_a_submission_passes_the_relay_s_own_checks(fork):
    withdrawals = (Withdrawal(1, 2, ADDRESSES[0], 3),)
    at = context(fork, withdrawals=withdrawals)
    template = build(pending=[transfer(n, tip_gwei=50) for n in range(4)], at=at)
    submission = submission_of(template, KEYS_RING)
    found = list(checks.check_all(submission, parent_beacon_root=at.parent_beacon_block_root))
    assert [check.code for check in found if not check.ok] == []
    block = block_of(
        submission.fork,
        submission.execution_payload,
        parent_beacon_block_root=at.parent_beacon_block_root,
        requests=submission.execution_requests,
    )
    assert block == template.sealed.block
    assert execute_block(ENGINE, state(), block, at.schedule).receipts == template.sealed.receipts


def test_a_bid_is_signed_for_the_sandbox_alone():
    template = build(pending=[transfer(0, tip_gwei=50)])
    with pytest.raises(RelayRefused, match="mainnet"):
        submission_of(template, KEYS_RING, genesis_fork_version=bytes(4))


def test_a_witness_gives_no_state_root_and_says_so():
    template = build(pending=[transfer(n, tip_gwei=50) for n in range(3)], on=partial_state())
    assert not template.sealed.state_root_known
    assert template.sealed.block.header.state_root == bytes(32)
    complete = build(pending=[transfer(n, tip_gwei=50) for n in range(3)])
    assert complete.sealed.state_root_known
    assert complete.sealed.block.header.receipts_root == template.sealed.block.header.receipts_root


def partial_state():
    """Everything the block touches, and not more."""
    return state(complete=False).with_overrides(
        {
            PROPOSER.fee_recipient: AccountOverride(balance_wei=0),
            b"\x01" * 20: AccountOverride(balance_wei=0),
            **{bytes.fromhex(a): AccountOverride(balance_wei=0) for a in SYSTEM_CONTRACTS},
        }
    )


SYSTEM_CONTRACTS = (
    "000f3df6d732807ef1319fb7b8bb8522d0beac02",
    "0000f90827f1c53a10cb7a02335b175320002935",
    "00000961ef480eb55e80d19ad83579a64c007002",
    "0000bbddc7ce488642fb579f8b00f3a590007251",
)


def test_on_a_public_chain_the_proposer_is_the_coinbase_and_nothing_is_signed():
    public = dataclasses.replace(context(), schedule=dataclasses.replace(context().schedule, chain_id=1))
    template = build(at=public)
    assert template.payment is Payment.COINBASE
    assert template.sealed.block.header.coinbase == PROPOSER.fee_recipient
    with pytest.raises(RelayRefused, match="public chain 1"):
        KEYS_RING.payout.sign_payment(
            chain_id=1, nonce=0, to=bytes(20), value_wei=1, gas_limit=21_000, base_fee_wei=1
        )


@pytest.mark.parametrize(
    ("parent", "registered", "expected"),
    [
        (30_000_000, 30_000_000, 30_000_000),
        (30_000_000, 36_000_000, 30_029_295),
        (30_000_000, 10_000_000, 29_970_705),
        (30_000_000, 30_000_100, 30_000_100),
    ],
)
def test_the_gas_limit_moves_towards_the_registered_one(parent, registered, expected):
    assert gas_limit_towards(parent, registered) == expected


# Sealing against real blocks


def test_sealing_a_real_block_again_gives_its_real_hash(real_block):
    """Every root but the state's is computed; the witness cannot give that one, so the real one is put in."""
    block, prestate = real_block
    schedule = schedule_for(1)
    rebuilt = seal(
        ENGINE,
        prestate,
        context_of(block, schedule, slot=1),
        block.header.coinbase,
        block.transactions,
        extra_data=block.header.extra_data,
    )
    header = dataclasses.replace(rebuilt.block.header, state_root=block.header.state_root)
    assert header == block.header
    assert not rebuilt.state_root_known


@pytest.fixture(params=[15538827, 17666333, 19933597, 22244135, 22615247])
def real_block(request, block_file):
    found = block_file(request.param)
    return found.block, found.prestate


@pytest.fixture(scope="module")
def block_file(fixtures):
    folder = fixtures / "blocks_prestate"
    codes = read_codes(folder / "codes.json.zst")
    return lambda number: read_block_file(folder / f"{number}.json.zst", codes)


def test_a_block_from_before_the_merge_has_no_context(block_file):
    with pytest.raises(UnsupportedFork, match="46147"):
        context_of(block_file(46147).block, schedule_for(1), slot=0)


# What the store keeps


def test_a_template_is_a_row_of_its_table():
    from mev_dagster.store.tables import TABLES

    template = build(
        candidates=[Candidate((call(0, FIRST_ONLY),), 5), Candidate((call(1, FIRST_ONLY),), 6)],
        pending=[transfer(2, tip_gwei=90), transfer(3, nonce=4)],
    )
    row = template_rows(template, trace_id=b"\x77" * 16)
    table = TABLES["block_templates"]
    assert {column.name for column in table.columns if column.required} <= set(row)
    for column in table.columns:
        if column.name in row:
            column.type.encode(row[column.name], column.name)
    detail = json.loads(row["detail"][0])
    assert [item["code"] for item in detail["candidates"]] == ["simulation_changed"]
    assert detail["pending"] == {"nonce_too_high": 1}
