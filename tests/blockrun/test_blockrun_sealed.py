"""A sealed block goes through the store whole: the same block comes back, for any builder to sign."""

from dataclasses import replace

import pytest
from fault_injecting import FaultInjectingEngine

from mev_dagster.blockrun.building import build_blocks
from mev_dagster.blockrun.decide import decide
from mev_dagster.blockrun.sealed import block_for, sealed_columns, stored_blocks
from mev_dagster.errors import StepMissing
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.pbs import bls
from mev_dagster.pbs.bidding import FixedMargin, TrueValue
from mev_dagster.pbs.client.report import SlotDuty
from mev_dagster.pbs.keys import BlsKey, Keyring
from mev_dagster.pbs.reward import reward_of
from mev_dagster.pbs.schema import BID_TRACE
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION, builder_domain, signing_root
from mev_dagster.pbs.template import signed, submission_of
from mev_dagster.pbs.types import SignedValidatorRegistration, ValidatorRegistration
from mev_dagster.telemetry.tracing import Tracing, span_id_of, trace_id_of

LANDED = b"\x01" * 32
BUILDER = Keyring.test_only("blockrun")


class Written:
    """A store whose sealed blocks are what was written."""

    def __init__(self, *rows, opportunity_ids=()):
        self.written = [{name: values[0] for name, values in columns.items()} for columns in rows]
        self.opportunity_ids = opportunity_ids

    def rows(self, sql, asked):
        names = ("fork", "submission", "trace_id", "span_id", "relays")
        return [
            (row["block_hash"], list(self.opportunity_ids), *(row[name] for name in names))
            for row in self.written
            if (asked["number"], asked["landed"]) == (row["block_number"], row["landed_hash"].hex())
        ]


def duty_of(block) -> SlotDuty:
    message = ValidatorRegistration(b"\x07" * 20, 30_000_000, 1, BlsKey(9, test_only=True).pubkey)
    return SlotDuty(block.header.timestamp, 0, SignedValidatorRegistration(message, bytes(96)))


def built(inputs, capture, number, engine, **options):
    tracing = Tracing("tests", seed=b"blockrun")
    decision = decide(inputs, engine, Recheck(0.0))
    with tracing.span("slot") as slot:
        offered = build_blocks(
            inputs,
            decision,
            capture.block(number),
            duty_of(capture.block(number)),
            engine=engine,
            keys=BUILDER,
            tracing=tracing,
            parent=slot,
            **options,
        )
    return offered, slot, decision


@pytest.fixture(scope="module")
def sealed(inputs, capture, number):
    ((offered,), slot, _) = built(inputs, capture, number, get_engine())
    template = offered.template
    columns = sealed_columns(template, LANDED, slot)
    return template, slot, Written(columns, opportunity_ids=template.opportunity_ids)


def test_the_stored_block_is_the_sealed_one_under_its_trace(sealed, number):
    template, slot, store = sealed
    (found,) = stored_blocks(store, number, LANDED)
    assert found.block_hash == template.sealed.block.hash
    assert found.bid_wei == template.bid_wei > 0
    assert found.opportunity_ids == template.opportunity_ids
    assert (found.trace_id, span_id_of(found.parent)) == (trace_id_of(slot), span_id_of(slot))
    assert signed(found.unsigned, BUILDER) == submission_of(template, BUILDER)


def test_nothing_stored_can_sign_for_a_builder(sealed, number):
    unsigned = stored_blocks(sealed[2], number, LANDED)[0].unsigned
    assert unsigned.message.builder_pubkey == bytes(48)
    assert unsigned.signature == bytes(96)


def test_another_builder_offers_the_same_block(sealed, number):
    (found,) = stored_blocks(sealed[2], number, LANDED)
    other = Keyring.ephemeral()
    offered = signed(found.unsigned, other)
    assert offered.message == replace(found.unsigned.message, builder_pubkey=other.bls.pubkey)
    assert offered.execution_payload == found.unsigned.execution_payload
    root = signing_root(BID_TRACE, offered.message, builder_domain(SANDBOX_GENESIS_FORK_VERSION))
    assert bls.verify(other.bls.pubkey, root, offered.signature)


def test_a_block_built_in_another_blocks_place_is_not_submitted(sealed, number):
    with pytest.raises(StepMissing, match="run block_templates first"):
        stored_blocks(sealed[2], number, b"\x02" * 32)


@pytest.mark.parametrize("damage", [{"submission": b"\x00" * 400}, {"fork": "phase0"}])
def test_a_stored_block_that_cannot_be_read_says_what_to_run(sealed, number, damage):
    template, slot, _ = sealed
    store = Written(sealed_columns(template, LANDED, slot))
    store.written[0] |= damage
    with pytest.raises(StepMissing, match="run block_templates again"):
        stored_blocks(store, number, LANDED)


def test_a_winner_that_the_reference_disproves_is_not_in_the_block(inputs, capture, number):
    told = []
    ((offered,), _, decision) = built(
        inputs, capture, number, FaultInjectingEngine(), on_disproved=lambda: told.append(True)
    )
    holding = {c.opportunity_id for c in decision.result.candidates if c.verified}
    assert told
    assert set(offered.template.opportunity_ids) <= holding


def test_each_relay_is_offered_what_its_own_strategy_bids(inputs, capture, number):
    half = FixedMargin(share_bps=5_000)
    strategies = {"greedy": half, "dear": TrueValue(), "modest": half}
    offered, slot, _ = built(inputs, capture, number, get_engine(), strategies=strategies)
    assert [one.relays for one in offered] == [("dear",), ("greedy", "modest")]
    full, less = (one.template for one in offered)
    assert less.bid_wei == less.block_value_wei - less.payout_cost_wei - less.profit_wei
    assert less.bid_wei == -(-full.bid_wei // 2)
    assert not [problem for one in offered for problem in reward_of(one.template).problems]

    store = Written(*(sealed_columns(one.template, LANDED, slot, one.relays) for one in reversed(offered)))
    stored = stored_blocks(store, number, LANDED)
    assert [block.bid_wei for block in stored] == [full.bid_wei, less.bid_wei]
    assert block_for("modest", stored).block_hash == less.sealed.block.hash
    assert block_for("dear", stored).block_hash == full.sealed.block.hash
    assert block_for("of later settings", stored).bid_wei == less.bid_wei


def test_relays_whose_strategies_bid_the_same_share_one_block(inputs, capture, number):
    strategies = {"one": TrueValue(), "other": FixedMargin()}
    (offered,), _, _ = built(inputs, capture, number, get_engine(), strategies=strategies)
    assert offered.relays == ()
