"""A sealed block goes through the store whole: the same block comes back, for any builder to sign."""

from dataclasses import replace

import pytest
from fault_injecting import FaultInjectingEngine

from mev_dagster.blockrun.building import build_block
from mev_dagster.blockrun.decide import decide
from mev_dagster.blockrun.sealed import sealed_columns, stored_block
from mev_dagster.errors import StepMissing
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.pbs import bls
from mev_dagster.pbs.client.report import SlotDuty
from mev_dagster.pbs.keys import BlsKey, Keyring
from mev_dagster.pbs.schema import BID_TRACE
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION, builder_domain, signing_root
from mev_dagster.pbs.template import signed, submission_of
from mev_dagster.pbs.types import SignedValidatorRegistration, ValidatorRegistration
from mev_dagster.telemetry.tracing import Tracing, span_id_of, trace_id_of

LANDED = b"\x01" * 32
BUILDER = Keyring.test_only("blockrun")


class OneRow:
    """A store whose one sealed block is what was written."""

    def __init__(self, columns, opportunity_ids):
        self.row = {name: values[0] for name, values in columns.items()}
        self.opportunity_ids = opportunity_ids

    def rows(self, sql, asked):
        if (asked["number"], asked["landed"]) != (self.row["block_number"], self.row["landed_hash"].hex()):
            return []
        names = ("fork", "submission", "trace_id", "span_id")
        return [(self.row["block_hash"], list(self.opportunity_ids), *(self.row[name] for name in names))]


def duty_of(block) -> SlotDuty:
    message = ValidatorRegistration(b"\x07" * 20, 30_000_000, 1, BlsKey(9, test_only=True).pubkey)
    return SlotDuty(block.header.timestamp, 0, SignedValidatorRegistration(message, bytes(96)))


def built(inputs, capture, number, engine, **options):
    tracing = Tracing("tests", seed=b"blockrun")
    decision = decide(inputs, engine, Recheck(0.0))
    with tracing.span("slot") as slot:
        template = build_block(
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
    return template, slot, decision


@pytest.fixture(scope="module")
def sealed(inputs, capture, number):
    template, slot, _ = built(inputs, capture, number, get_engine())
    return template, slot, OneRow(sealed_columns(template, LANDED, slot), template.opportunity_ids)


def test_the_stored_block_is_the_sealed_one_under_its_trace(sealed, number):
    template, slot, store = sealed
    found = stored_block(store, number, LANDED)
    assert found.block_hash == template.sealed.block.hash
    assert found.bid_wei == template.bid_wei > 0
    assert found.opportunity_ids == template.opportunity_ids
    assert (found.trace_id, span_id_of(found.parent)) == (trace_id_of(slot), span_id_of(slot))
    assert signed(found.unsigned, BUILDER) == submission_of(template, BUILDER)


def test_nothing_stored_can_sign_for_a_builder(sealed, number):
    unsigned = stored_block(sealed[2], number, LANDED).unsigned
    assert unsigned.message.builder_pubkey == bytes(48)
    assert unsigned.signature == bytes(96)


def test_another_builder_offers_the_same_block(sealed, number):
    found = stored_block(sealed[2], number, LANDED)
    other = Keyring.ephemeral()
    offered = signed(found.unsigned, other)
    assert offered.message == replace(found.unsigned.message, builder_pubkey=other.bls.pubkey)
    assert offered.execution_payload == found.unsigned.execution_payload
    root = signing_root(BID_TRACE, offered.message, builder_domain(SANDBOX_GENESIS_FORK_VERSION))
    assert bls.verify(other.bls.pubkey, root, offered.signature)


def test_a_block_built_in_another_blocks_place_is_not_submitted(sealed, number):
    with pytest.raises(StepMissing, match="run block_templates first"):
        stored_block(sealed[2], number, b"\x02" * 32)


@pytest.mark.parametrize("damage", [{"submission": b"\x00" * 400}, {"fork": "phase0"}])
def test_a_stored_block_that_cannot_be_read_says_what_to_run(sealed, number, damage):
    template, slot, _ = sealed
    store = OneRow(sealed_columns(template, LANDED, slot), ())
    store.row |= damage
    with pytest.raises(StepMissing, match="run block_templates again"):
        stored_block(store, number, LANDED)


def test_a_winner_that_the_reference_disproves_is_not_in_the_block(inputs, capture, number):
    told = []
    template, _, decision = built(
        inputs, capture, number, FaultInjectingEngine(), on_disproved=lambda: told.append(True)
    )
    holding = {c.opportunity_id for c in decision.result.candidates if c.verified}
    assert told
    assert set(template.opportunity_ids) <= holding
