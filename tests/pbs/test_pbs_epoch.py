"""An epoch of 32 slots with three relays, one of them faulty: every slot gets its block, and none twice."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from pbs_devnet import ETHER, KEYS, context, state, transfer
from pbs_sandbox import running

from mev_dagster.chain.signing import address_of
from mev_dagster.evm.engines import get_engine
from mev_dagster.pbs.client.breaker import CircuitBreaker
from mev_dagster.pbs.client.deadline import submission_deadline_ns
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SubmissionEnd
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.keys import BlsKey, Keyring
from mev_dagster.pbs.sandbox.faults import plan_of
from mev_dagster.pbs.sandbox.proposer import HEADER_PATH, Mailbox, NoHeader, SandboxProposer
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.sandbox.slots import SandboxValidators, SlotBook
from mev_dagster.pbs.sandbox.validator import ExecutionValidator
from mev_dagster.pbs.template import build_template, submission_of

SLOTS = 32
FIRST = 1_800_000_000
DEADLINE_MS = 20_000  # of a busy machine; nothing here waits for it
ENGINE = get_engine("auto")
BUILDER = Keyring.test_only("epoch")
SUBMITTING = ["reset", "too_many", "server_error", "truncated", "plain_text", "silent_drop", "latency"]
FAULTS = {
    "seed": "epoch",
    "faults": [
        {"kind": kind, "first": first, "last": first, "ms": 50 if kind == "latency" else 0}
        for first, kind in enumerate(SUBMITTING * 3, start=1)
    ]
    + [
        {"kind": "server_error", "path": HEADER_PATH, "share_bps": 3_000},
        {"kind": "truncated", "path": HEADER_PATH, "share_bps": 3_000},
    ],
}


def relay_number(number: int) -> SandboxRelay:
    return SandboxRelay(
        slots=SlotBook(),
        validator=ExecutionValidator(ENGINE),
        key=BlsKey(11 + number, test_only=True),
        validators=SandboxValidators("epoch"),
    )


def slot_after(relay: SandboxRelay, parent, world, number: int):
    at = context(
        slot=FIRST + number, number=number + 1, timestamp=FIRST + number,
        parent_hash=b"\x11" * 32 if parent is None else parent,
    )  # fmt: skip
    return relay.validators.slot_for(at, world, b"\xcb" * 20)


async def test_every_slot_of_an_epoch_gets_its_block_though_one_relay_fails():
    relays = [relay_number(number) for number in range(3)]
    relays[2].faults = plan_of(FAULTS)
    world, parent, delivered, ended = state(), None, [], []
    async with AsyncExitStack() as stack:
        clients = []
        for number, relay in enumerate(relays):
            url = await stack.enter_async_context(running(relay))
            endpoint = RelayEndpoint(url, name=f"relay {number}", connect_timeout_s=5.0)
            client = RelayClient(endpoint, breaker=CircuitBreaker())
            clients.append(await stack.enter_async_context(client))
        boxes = [Mailbox(client, relay.key.pubkey) for client, relay in zip(clients, relays, strict=True)]
        for number in range(SLOTS):
            for relay in relays:
                relay.slots.add(slot_after(relay, parent, world, number))
            slot = relays[0].slot_of_block(number + 1)
            pending = [transfer(sender, number, tip_gwei=50 + sender) for sender in range(3)]
            template = build_template(ENGINE, world, slot.context, slot.proposer, BUILDER, pending=pending)
            submission = submission_of(template, BUILDER)
            deadline_ns = submission_deadline_ns(clients[0].clock, bound_ms=DEADLINE_MS)
            reports = await asyncio.gather(
                *(
                    client.submit(submission, deadline_ns=deadline_ns, superseded=lambda: False)
                    for client in clients
                )
            )
            ended.append([report.ended for report in reports])
            index, key = relays[0].validators.of_slot(slot.number)
            proposed = await SandboxProposer(key, index, boxes).propose(
                submission.fork, slot.number, slot.context.parent_hash
            )
            assert proposed.payload == submission.execution_payload, (number, proposed.left_out)
            assert proposed.value_wei == template.bid_wei
            delivered.append(proposed)
            parent = proposed.payload.block_hash
            world = world.apply(template.sealed.simulation.state_diff)
            for relay in relays:
                relay.head_slot = slot.number
    assert len(delivered) == SLOTS
    assert {end for ends in ended for end in ends[:2]} == {SubmissionEnd.ACCEPTED}
    assert SubmissionEnd.DEADLINE not in {ends[2] for ends in ended}
    assert any(relays[2].faults.met)
    assert {name for one in delivered for name, _ in one.left_out} == {"relay 2"}
    assert [len(relay.auction.delivered) for relay in relays[:2]] == [SLOTS, SLOTS]


async def test_a_registration_decides_whom_the_next_block_pays():
    relay, recipient = relay_number(0), address_of(KEYS[7])
    relay.slots.add(slot_after(relay, None, state(), 0))
    index, key = relay.validators.of_slot(FIRST)
    async with running(relay) as url, RelayClient(RelayEndpoint(url, connect_timeout_s=5.0)) as client:
        proposer = SandboxProposer(key, index, [Mailbox(client, relay.key.pubkey)])
        assert await proposer.register(fee_recipient=recipient, gas_limit=30_000_000, timestamp=9) == 1
        duty = (await client.duty_of_block(1)).registration.message
    assert (duty.fee_recipient, duty.gas_limit) == (recipient, 30_000_000)


@pytest.mark.parametrize("wrong", [NoHeader.NONE, NoHeader.OTHER_KEY, NoHeader.UNREACHABLE])
async def test_a_header_that_cannot_be_trusted_is_left_out(wrong):
    relay = relay_number(0)
    slot = slot_after(relay, None, state(), 0)
    relay.slots.add(slot)
    pending = [transfer(0, tip_gwei=90, value_wei=ETHER)]
    template = build_template(ENGINE, state(), slot.context, slot.proposer, BUILDER, pending=pending)
    submission = submission_of(template, BUILDER)
    index, key = relay.validators.of_slot(FIRST)
    if wrong is not NoHeader.NONE:
        await relay.submit(submission)
    if wrong is NoHeader.UNREACHABLE:
        relay.faults = plan_of({"faults": [{"kind": "reset", "path": HEADER_PATH}]})
    trusted = relay.key.pubkey if wrong is not NoHeader.OTHER_KEY else BlsKey(99, test_only=True).pubkey
    async with running(relay) as url, RelayClient(RelayEndpoint(url, connect_timeout_s=5.0)) as client:
        proposed = await SandboxProposer(key, index, [Mailbox(client, trusted)]).propose(
            submission.fork, FIRST, slot.context.parent_hash
        )
    assert (proposed.payload, proposed.left_out) == (None, (("sandbox", wrong),))


async def test_a_bid_signed_by_another_than_it_says_is_left_out(monkeypatch):
    relay = relay_number(0)
    slot = slot_after(relay, None, state(), 0)
    relay.slots.add(slot)
    template = build_template(
        ENGINE, state(), slot.context, slot.proposer, BUILDER, pending=[transfer(0, tip_gwei=90)]
    )
    submission = submission_of(template, BUILDER)
    await relay.submit(submission)
    honest = SandboxRelay.header_for

    def forged(self, key):
        bid = honest(self, key)
        return bid and replace(bid, message=replace(bid.message, value=bid.message.value + 1))

    monkeypatch.setattr(SandboxRelay, "header_for", forged)
    index, key = relay.validators.of_slot(FIRST)
    async with running(relay) as url, RelayClient(RelayEndpoint(url, connect_timeout_s=5.0)) as client:
        proposed = await SandboxProposer(key, index, [Mailbox(client, relay.key.pubkey)]).propose(
            submission.fork, FIRST, slot.context.parent_hash
        )
    assert proposed.left_out == (("sandbox", NoHeader.INVALID_SIGNATURE),)
