"""The relay's auction: which bid stands, one payload a slot, who proposes, and in which form answers come."""

import asyncio
import gzip
import json
from dataclasses import replace

import aiohttp
import pytest
from pbs_sandbox import BUILDER, SLOT, changed, make_relay, make_submission, running
from test_pbs_sandbox import post

from mev_dagster.chain.networks import MAINNET
from mev_dagster.errors import DecodeError
from mev_dagster.pbs import codec_json, schema, wire
from mev_dagster.pbs.blinded import (
    BLINDED_BLOCK,
    SIGNED_BLINDED_BLOCK,
    SignedBlindedBeaconBlock,
    blinded_block,
)
from mev_dagster.pbs.keys import BlsKey
from mev_dagster.pbs.sandbox.negotiation import preferred
from mev_dagster.pbs.sandbox.relay import RelayRules
from mev_dagster.pbs.schema import PAYLOAD_AND_BLOBS, VALIDATOR_REGISTRATION
from mev_dagster.pbs.signing import MAINNET_CONSENSUS, SANDBOX_GENESIS_FORK_VERSION
from mev_dagster.pbs.types import SignedValidatorRegistration, ValidatorRegistration

JSON = {"Content-Type": wire.JSON_TYPE}


def key_of(submission):
    return SLOT, submission.message.parent_hash, submission.message.proposer_pubkey


def signed_blind(relay, submission, *, index=None, slot=SLOT):
    own, proposer = relay.validators.of_slot(SLOT)
    kind = submission.fork
    block = blinded_block(
        kind,
        slot=slot,
        proposer_index=own if index is None else index,
        header=schema.payload_header(kind, submission.execution_payload),
        blob_kzg_commitments=(),
        execution_requests=submission.execution_requests,
    )
    return SignedBlindedBeaconBlock(block, proposer.sign_block(BLINDED_BLOCK[kind], block, kind))


async def payload_of(url, submission, signed, **headers):
    kind = submission.fork
    body = codec_json.dumps(codec_json.to_json(SIGNED_BLINDED_BLOCK[kind], signed))
    headers = JSON | {"Eth-Consensus-Version": kind.version} | headers
    path = f"{url}/eth/v1/builder/blinded_blocks"
    async with aiohttp.request("POST", path, data=body, headers=headers) as got:
        return got.status, await got.read(), got.content_type


async def header_of(url, submission, **headers):
    slot, parent, pubkey = key_of(submission)
    path = f"{url}/eth/v1/builder/header/{slot}/0x{parent.hex()}/0x{pubkey.hex()}"
    async with aiohttp.request("GET", path, headers=headers) as got:
        return got.status, await got.read(), got.content_type


# Which bid stands


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [("", "", "high"), ("?cancellations=1", "?cancellations=1", "low"), ("", "?cancellations=1", "high")],
)
async def test_only_a_cancellable_bid_gives_way_to_a_lower_one(first, second, stands):
    relay = make_relay()
    bids = {"high": make_submission(relay, tip_gwei=90), "low": make_submission(relay, tip_gwei=20)}
    async with running(relay) as url:
        assert (await post(url, bids["high"], query=first))[0] == 200
        status, _ = await post(url, bids["low"], query=second)
    assert status == (200 if stands == "low" else 202)
    assert relay.auction.best(key_of(bids["low"])).submission == bids[stands]


async def test_a_higher_bid_without_cancellations_raises_the_floor_of_every_builder():
    relay = make_relay()
    low, high = make_submission(relay, tip_gwei=20), make_submission(relay, tip_gwei=90)
    rival = replace(low, message=replace(low.message, builder_pubkey=BlsKey(99, test_only=True).pubkey))
    async with running(relay) as url:
        await post(url, high)
        answers = [await post(url, one) for one in (low, high)]
    assert [status for status, _ in answers] == [202, 202]
    assert relay.auction.floor_wei(key_of(rival)) == high.message.value


# One payload a slot


async def test_a_second_block_of_one_slot_gets_no_payload_and_a_retry_gets_the_same_one_recorded_once():
    relay = make_relay()
    low, high = make_submission(relay, tip_gwei=20), make_submission(relay, tip_gwei=90)
    async with running(relay) as url:
        await post(url, low)
        await post(url, high)
        first = [await payload_of(url, low, signed_blind(relay, low)) for _ in range(3)]
        second, body, _ = await payload_of(url, high, signed_blind(relay, high))
    assert [status for status, _, _ in first] == [200, 200, 200]
    assert len({body for _, body, _ in first}) == 1
    assert (second, codec_json.loads(body)["message"]) == (
        400,
        "another payload for this slot was already delivered",
    )
    assert [bid.submission for bid in relay.auction.delivered] == [low]


async def test_a_second_block_around_the_same_payload_is_an_equivocation_too():
    relay = make_relay()
    submission = make_submission(relay)
    kind = submission.fork
    first = signed_blind(relay, submission)
    message = replace(first.message, state_root=b"\x01" * 32)
    _, proposer = relay.validators.of_slot(SLOT)
    second = SignedBlindedBeaconBlock(message, proposer.sign_block(BLINDED_BLOCK[kind], message, kind))
    async with running(relay) as url:
        await post(url, submission)
        asked = [await payload_of(url, submission, one) for one in (first, second, first)]
    assert [status for status, _, _ in asked] == [200, 400, 200]
    assert [bid.submission for bid in relay.auction.delivered] == [submission]


async def test_a_block_of_another_validator_s_index_gets_no_payload():
    relay = make_relay()
    submission = make_submission(relay)
    own, _ = relay.validators.of_slot(SLOT)
    async with running(relay) as url:
        await post(url, submission)
        status, body, _ = await payload_of(url, submission, signed_blind(relay, submission, index=own + 1))
    assert (status, codec_json.loads(body)["message"]) == (400, "could not match proposer index to pubkey")
    assert relay.auction.delivered == []


@pytest.mark.parametrize("ahead", [0, 1, 3])
async def test_a_slot_that_is_over_has_neither_header_nor_payload(ahead):
    relay = make_relay()
    submission = make_submission(relay)
    async with running(relay) as url:
        await post(url, submission)
        relay.head_slot = SLOT + ahead
        header, _, _ = await header_of(url, submission)
        payload, _, _ = await payload_of(url, submission, signed_blind(relay, submission))
    assert (header, payload) == (400, 400)
    assert relay.auction.delivered == []


async def test_the_payload_that_became_the_head_is_given_again_to_its_proposer():
    relay = make_relay()
    submission = make_submission(relay)
    async with running(relay) as url:
        await post(url, submission)
        signed = signed_blind(relay, submission)
        await payload_of(url, submission, signed)
        relay.head_slot = SLOT
        again, _, _ = await payload_of(url, submission, signed)
    assert again == 200


@pytest.mark.parametrize(
    ("late_ms", "header", "payload"), [(0, 200, 200), (3_500, 204, 200), (4_500, 204, 400)]
)
async def test_cut_offs_are_counted_from_the_start_of_the_slot(late_ms, header, payload):
    relay = make_relay(rules=RelayRules(header_cutoff_ms=3_000, payload_cutoff_ms=4_000))
    submission = make_submission(relay)

    class At:
        def wall_ns(self):
            return SLOT * 10**9 + late_ms * 10**6

        async def sleep(self, seconds):
            await asyncio.sleep(0)

    relay.clock = At()
    async with running(relay) as url:
        await post(url, submission)
        found = await header_of(url, submission)
        given = await payload_of(url, submission, signed_blind(relay, submission))
    assert (found[0], given[0]) == (header, payload)


# Registrations


def registration(key, recipient, timestamp, gas_limit=30_000_000):
    message = ValidatorRegistration(
        fee_recipient=recipient, gas_limit=gas_limit, timestamp=timestamp, pubkey=key.pubkey
    )
    return SignedValidatorRegistration(
        message, key.sign(VALIDATOR_REGISTRATION, message, SANDBOX_GENESIS_FORK_VERSION)
    )


async def register(url, *registrations):
    kind = schema.SIGNED_VALIDATOR_REGISTRATION
    body = codec_json.dumps([codec_json.to_json(kind, one) for one in registrations])
    path = f"{url}/eth/v1/builder/validators"
    async with aiohttp.request("POST", path, data=body, headers=JSON) as got:
        return got.status, (await got.json())["message"] if got.status != 200 else ""


async def test_duties_and_checks_follow_the_newest_registration():
    relay = make_relay()
    _, key = relay.validators.of_slot(SLOT)
    async with running(relay) as url:
        for recipient, timestamp in ((b"\x41" * 20, 1_000), (b"\x42" * 20, 2_000), (b"\x43" * 20, 1_500)):
            assert await register(url, registration(key, recipient, timestamp)) == (200, "")
        async with aiohttp.request("GET", f"{url}/relay/v1/builder/validators") as got:
            [duty] = await got.json()
        assert duty["entry"]["message"]["fee_recipient"] == "0x" + "42" * 20
        paid = make_submission(relay)
        unpaid = replace(paid, message=replace(paid.message, proposer_fee_recipient=b"\x41" * 20))
        assert (await post(url, paid))[0] == 200
        status, body = await post(url, unpaid)
    assert (status, codec_json.loads(body)["message"]) == (400, "fee recipient does not match")


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [(2**63, "timestamp too far in the future"), (2**64 - 1, "timestamp too far in the future")],
)
async def test_a_registration_of_the_future_is_refused(timestamp, text):
    relay = make_relay()
    _, key = relay.validators.of_slot(SLOT)
    async with running(relay) as url:
        assert await register(url, registration(key, b"\x42" * 20, timestamp)) == (400, text)
    assert relay.registrations == {}


async def test_a_registration_from_before_its_chain_began_is_refused():
    relay = make_relay()
    at = replace(relay.slots.of_block(1).context, schedule=MAINNET, slot=1)
    relay.slots.add(relay.validators.slot_for(at, None, b"\xcb" * 20))
    _, key = relay.validators.of_slot(1)
    genesis = MAINNET_CONSENSUS.genesis_time
    async with running(relay) as url:
        early = await register(url, registration(key, b"\x42" * 20, genesis - 1))
        assert early == (400, "timestamp too early: before the chain began")
        assert await register(url, registration(key, b"\x42" * 20, genesis)) == (200, "")


async def test_a_bid_for_another_validator_s_key_is_named_with_both():
    relay = make_relay()
    other = relay.validators.of_slot(SLOT + 1)[1].pubkey
    bid = changed(make_submission(relay), message={"proposer_pubkey": other})
    own = relay.validators.of_slot(SLOT)[1].pubkey
    async with running(relay) as url:
        status, body = await post(url, bid)
    text = f"proposer public key mismatch. got: 0x{other.hex()}, expected: 0x{own.hex()}"
    assert (status, codec_json.loads(body)["message"]) == (400, text)


async def test_a_key_that_is_no_validator_cannot_register():
    relay = make_relay()
    stranger = BlsKey(12_345, test_only=True)
    async with running(relay) as url:
        status, text = await register(url, registration(stranger, b"\x42" * 20, 1))
    assert (status, text) == (400, f"not a known validator: 0x{stranger.pubkey.hex()}")


# Forms


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("application/octet-stream", "ssz"),
        ("application/octet-stream;q=1.0,application/json;q=0.9", "ssz"),
        ("application/json;q=0.5, application/octet-stream;q=0.9", "ssz"),
        ("application/json, application/octet-stream", "json"),
        ("application/octet-stream, application/json", "ssz"),
        ("application/octet-stream;q=0, */*", "json"),
        ("application/json;q=0, */*;q=0.1", "ssz"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=nonsense", None),
        ("application/json;q=nan", None),
        ("application/json;q=1e0, application/octet-stream;q=0.001", "ssz"),
        ("application/json;q=1.0000, application/octet-stream;q=0.001", "ssz"),
        ("application/json;q=-1", None),
    ],
)
def test_the_form_with_the_highest_quality_is_served(accept, chosen):
    kinds = {"application/json": "json", "application/octet-stream": "ssz", None: None}
    assert kinds[preferred(accept, ("application/json", "application/octet-stream"))] == chosen


async def test_header_and_payload_come_in_ssz_where_it_is_preferred():
    relay = make_relay()
    submission = make_submission(relay)
    kind = submission.fork
    async with running(relay) as url:
        await post(url, submission)
        status, body, form = await header_of(url, submission, Accept=wire.SSZ_TYPE)
        bid = schema.SIGNED_BUILDER_BID[kind].decode(memoryview(body))
        given = await payload_of(url, submission, signed_blind(relay, submission), Accept=wire.SSZ_TYPE)
        refused, _, _ = await header_of(url, submission, Accept="text/html")
    assert (status, form, bid.message.value) == (200, wire.SSZ_TYPE, submission.message.value)
    whole = PAYLOAD_AND_BLOBS[kind].decode(memoryview(given[1]))
    assert (given[0], given[2], whole.execution_payload) == (200, wire.SSZ_TYPE, submission.execution_payload)
    assert refused == 406


async def test_a_body_of_two_gzip_members_is_one_body():
    relay = make_relay()
    submission = make_submission(relay)
    body = wire.encode_submission(submission, json=False)
    zipped = gzip.compress(body[:1_000]) + gzip.compress(body[1_000:])
    headers = {"Content-Type": wire.SSZ_TYPE, "Content-Encoding": "gzip"}
    async with running(relay) as url:
        path = f"{url}/relay/v1/builder/blocks"
        async with aiohttp.request("POST", path, data=zipped, headers=headers) as got:
            assert got.status == 200
    assert BUILDER.bls.pubkey == submission.message.builder_pubkey


@pytest.mark.parametrize("name", ["x-gzip", "GZIP"])
async def test_gzip_goes_by_its_old_name_too(name):
    relay = make_relay()
    submission = make_submission(relay)
    body = gzip.compress(wire.encode_submission(submission, json=False))
    headers = {"Content-Type": wire.SSZ_TYPE, "Content-Encoding": name}
    async with running(relay) as url:
        path = f"{url}/relay/v1/builder/blocks"
        async with aiohttp.request("POST", path, data=body, headers=headers) as got:
            assert got.status == 200


async def test_json_that_is_not_utf8_is_the_sender_s_mistake():
    relay = make_relay()
    async with running(relay) as url:
        path = f"{url}/eth/v1/builder/validators"
        for body in (b'{"\xff":1}', b'["\xff"]', b"\xff"):
            async with aiohttp.request("POST", path, data=body, headers=JSON) as got:
                assert got.status == 400


@pytest.mark.parametrize("digits", [21, 5_000])
async def test_a_limit_of_any_length_is_the_sender_s_mistake(digits):
    async with running(make_relay()) as url:
        path = f"{url}/relay/v1/data/bidtraces/proposer_payload_delivered?limit={'9' * digits}"
        async with aiohttp.request("GET", path) as got:
            assert (got.status, (await got.json())["message"]) == (400, "maximum limit is 200")


@pytest.mark.parametrize(
    ("document", "unique"),
    [
        (b'{"a":1,"b":{"a":2}}', True),
        (b'{"a":"b\\":","c":"d"}', True),
        (b'{"a":1,"a":1}', False),
        (b'[{"x":{"deep":[1],"deep" :[2]}}]', False),
        (b'{"a":1,"\\u0061":2}', False),
        (b'{"a":1' + b"0" * 5_000 + b',"a":2}', False),
    ],
)
def test_a_field_that_stands_twice_means_nothing(document, unique):
    if unique:
        assert codec_json.loads_unambiguous(document) == json.loads(document)
    else:
        with pytest.raises(DecodeError):
            codec_json.loads_unambiguous(document)


async def test_a_submission_that_names_its_message_twice_is_refused():
    relay = make_relay()
    submission = make_submission(relay)
    body = wire.encode_submission(submission, json=True)
    doubled = body.replace(b'{"slot":', b'{"slot":"1","slot":', 1)
    assert doubled != body
    async with (
        running(relay) as url,
        aiohttp.request("POST", f"{url}/relay/v1/builder/blocks", data=doubled, headers=JSON) as got,
    ):
        assert (got.status, "stands twice" in (await got.json())["message"]) == (400, True)
