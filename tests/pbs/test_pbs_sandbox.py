"""The sandbox relay over real HTTP: every rule in its order with its exact answer, and real execution."""

import asyncio
import gzip
import json
import time
from dataclasses import replace

import aiohttp
import pytest
from pbs_sandbox import BUILDER, SLOT, changed, connected, make_relay, make_submission, offer, running

from mev_dagster.chain.blocks import Withdrawal, header_hash
from mev_dagster.chain.forks import Fork
from mev_dagster.errors import NodeAnswerError, PortInUse, RelayRefused
from mev_dagster.pbs import bls, codec_json, schema, wire
from mev_dagster.pbs.blinded import (
    BLINDED_BLOCK,
    SIGNED_BLINDED_BLOCK,
    SignedBlindedBeaconBlock,
    blinded_block,
)
from mev_dagster.pbs.payload import header_of
from mev_dagster.pbs.sandbox import bodies
from mev_dagster.pbs.sandbox.auction import ReceivedBid
from mev_dagster.pbs.sandbox.posts import slot_to_json
from mev_dagster.pbs.sandbox.relay import RelayRules
from mev_dagster.pbs.sandbox.serve import bind, url_of
from mev_dagster.pbs.signing import builder_domain, signing_root
from mev_dagster.pbs.types import BlobsBundle, ConsensusFork

PATH = "/relay/v1/builder/blocks"


async def post(url, submission, *, as_json=False, zipped=False, query="", **headers):
    body = wire.encode_submission(submission, json=as_json)
    if zipped:
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    headers.setdefault("Content-Type", wire.JSON_TYPE if as_json else wire.SSZ_TYPE)
    async with aiohttp.request("POST", url + PATH + query, data=body, headers=headers) as got:
        return got.status, await got.read()


async def judged(submission, relay, **options):
    async with running(relay) as url:
        return await post(url, submission, **options)


def error(message, code=400):
    return code, json.dumps({"code": code, "message": message}, separators=(",", ":")).encode()


IN_ORDER = ["duty", "signature", "block_hash", "execution", "payment", "state_root", "stored"]

# The four forms


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("fork", [Fork.SHANGHAI, Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA])
async def test_every_form_of_a_valid_submission_is_accepted_with_an_empty_200(fork, as_json, zipped):
    relay = make_relay(fork=fork)
    submission = make_submission(relay)
    version = {"Eth-Consensus-Version": submission.fork.version}
    status, body = await judged(submission, relay, as_json=as_json, zipped=zipped, **version)
    assert (status, body) == (200, b"")
    assert [bid.submission for bid in relay.auction.bids()] == [submission]
    names = [check.name for check in relay.receipts[0].checks]
    assert [name for name in names if name in IN_ORDER] == IN_ORDER
    assert all(check.ok for check in relay.receipts[0].checks)


# The relay's own rules, in order


async def test_cancellations_can_be_disabled():
    relay = make_relay(rules=RelayRules(cancellations=False))
    answer = await judged(make_submission(relay), relay, query="?cancellations=1")
    assert answer == error("cancellations are disabled")


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({"Content-Type": "text/plain"}, 415, "unsupported content type: text/plain"),
        ({"Content-Encoding": "br"}, 415, "unsupported content encoding: br"),
        ({"Eth-Consensus-Version": "phase9"}, 400, "invalid consensus version: phase9"),
        ({"Content-Encoding": "gzip"}, 400, "gzip: "),
        ({"Eth-Consensus-Version": "deneb"}, 400, "ssz_offset: "),
        ({"Content-Type": "application/json"}, 400, "json_syntax: "),
    ],
)
async def test_a_body_that_cannot_be_read_gets_its_own_answer(headers, status, text):
    relay = make_relay()
    found, body = await judged(make_submission(relay), relay, **headers)
    assert found == status
    assert json.loads(body)["message"].startswith(text)
    assert not relay.receipts


async def test_a_payload_of_another_fork_is_named():
    relay = make_relay(fork=Fork.OSAKA)
    submission = make_submission(make_relay(fork=Fork.PRAGUE))
    version = {"Eth-Consensus-Version": "electra"}
    assert await judged(submission, relay, **version) == error("not fulu payload")
    cancun = make_submission(make_relay(fork=Fork.CANCUN))
    assert await judged(cancun, relay) == error("not fulu payload")


@pytest.mark.parametrize(("head", "past"), [(SLOT, True), (SLOT + 5, True), (SLOT - 1, False)])
async def test_a_slot_at_or_before_the_head_is_past(head, past):
    relay = make_relay(head_slot=head)
    answer = await judged(make_submission(relay), relay)
    assert answer == (error("submission for past slot") if past else (200, b""))


async def test_a_timestamp_that_is_not_the_slot_s_start_is_named_with_both():
    relay = make_relay()
    submission = changed(make_submission(relay), payload={"timestamp": SLOT + 1})
    answer = await judged(submission, relay)
    assert answer == error(f"incorrect timestamp. got {SLOT + 1}, expected {SLOT}")


async def test_a_blocked_builder_is_dropped_silently():
    relay = make_relay(rules=RelayRules(blocked_builders=frozenset({BUILDER.bls.pubkey})))
    assert await judged(make_submission(relay), relay) == (200, b"")
    assert list(relay.auction.bids()) == []


async def test_a_slot_without_a_duty_is_refused():
    relay = make_relay()
    submission = changed(make_submission(relay), payload={"block_number": 77})
    assert await judged(submission, relay) == error("could not find slot duty")


async def test_a_fee_recipient_other_than_the_registered_one_is_refused():
    relay = make_relay()
    submission = changed(make_submission(relay), message={"proposer_fee_recipient": b"\x01" * 20})
    assert await judged(submission, relay) == error("fee recipient does not match")


@pytest.mark.parametrize("changes", [{"message": {"value": 0}}, {"payload": {"transactions": ()}}])
async def test_worthless_submissions_are_dropped_silently(changes):
    relay = make_relay()
    assert await judged(changed(make_submission(relay), **changes), relay) == (200, b"")
    assert list(relay.auction.bids()) == []
    assert not relay.receipts[0].answer.accepted


@pytest.mark.parametrize(("field", "text"), [("block_hash", "blockHash"), ("parent_hash", "parentHash")])
async def test_a_message_that_differs_from_its_payload_is_refused(field, text):
    relay = make_relay()
    submission = changed(make_submission(relay), message={field: b"\x99" * 32})
    assert await judged(submission, relay) == error(f"{text} mismatch")


async def test_an_unknown_parent_has_no_attributes_yet():
    relay = make_relay()
    other = {"parent_hash": b"\x99" * 32}
    submission = changed(make_submission(relay), message=other, payload=other)
    assert await judged(submission, relay) == error("payload attributes not (yet) known")


async def test_another_randao_is_refused_with_both_values():
    relay = make_relay()
    submission = changed(make_submission(relay), payload={"prev_randao": b"\x99" * 32})
    text = f"incorrect prev_randao - got: 0x{'99' * 32}, expected: 0x{'22' * 32}"
    assert await judged(submission, relay) == error(text)


async def test_other_withdrawals_are_refused_with_both_roots():
    relay = make_relay()
    other = (Withdrawal(1, 2, b"\x03" * 20, 4),)
    submission = changed(make_submission(relay), payload={"withdrawals": other})
    got, expected = (schema.WITHDRAWALS.hash_tree_root(value).hex() for value in (other, ()))
    text = f"incorrect withdrawals root - got: 0x{got}, expected: 0x{expected}"
    assert await judged(submission, relay) == error(text)


@pytest.mark.parametrize(
    ("signature", "text"),
    [(b"\xc0" + bytes(95), "invalid signature"), (b"\xff" * 96, "failed verifying builder signature")],
)
async def test_a_wrong_signature_differs_from_a_malformed_one(signature, text):
    relay = make_relay()
    submission = changed(make_submission(relay), signature=signature, resign=False)
    assert await judged(submission, relay) == error(text)


async def test_a_signature_over_another_message_is_invalid():
    relay = make_relay()
    submission = make_submission(relay)
    richer = replace(submission, message=replace(submission.message, value=submission.message.value + 1))
    assert await judged(richer, relay) == error("invalid signature")


async def test_a_malformed_builder_key_is_an_answer_not_a_crash():
    relay = make_relay()
    submission = changed(make_submission(relay), message={"builder_pubkey": b"\xff" * 48})
    assert await judged(submission, relay) == error("failed verifying builder signature")


# Floor and cancellations


async def test_a_bid_at_the_floor_is_taken_note_of_and_not_simulated():
    relay = make_relay()
    submission = make_submission(relay)
    relay.rules = RelayRules(floor_wei=submission.message.value)
    status, body = await judged(submission, relay)
    assert (status, json.loads(body)) == (202, {"message": "accepted bid below floor, skipped validation"})
    assert list(relay.auction.bids()) == []


async def test_with_cancellations_a_bid_below_the_floor_withdraws_the_builder_s_bid():
    relay = make_relay()
    high, low = make_submission(relay, tip_gwei=90), make_submission(relay, tip_gwei=20)
    key = (SLOT, high.message.parent_hash, high.message.proposer_pubkey)
    async with running(relay) as url:
        assert await post(url, high, query="?cancellations=1") == (200, b"")
        assert relay.auction.best(key).submission == high
        relay.rules = RelayRules(floor_wei=high.message.value)
        status, body = await post(url, low, query="?cancellations=1")
    assert (status, json.loads(body)) == (202, "accepted bid below floor, skipped validation")
    assert relay.auction.best(key) is None


async def test_a_bid_overtaken_by_a_newer_one_of_its_builder_is_refused():
    relay = make_relay()
    first, second = make_submission(relay, tip_gwei=90), make_submission(relay, tip_gwei=80)
    validate = relay.validator.validate

    def overtaken(submission, slot):
        relay.auction.store(ReceivedBid(second, order=99, received_ns=0))
        return validate(submission, slot)

    relay.validator.validate = overtaken
    assert await judged(first, relay, query="?cancellations=1") == error("already using a newer payload")


# Simulation: each single change is found by executing, with the hash made right again


def rehashed(relay, submission, **payload):
    """Change the payload, give it its true block hash, and sign: only deeper checks can notice."""
    slot = relay.slots.of_block(1)
    body = replace(submission.execution_payload, **payload)
    header = header_of(
        submission.fork,
        body,
        parent_beacon_block_root=slot.context.parent_beacon_block_root,
        requests=submission.execution_requests,
    )
    body = replace(body, block_hash=header_hash(header))
    message = {"block_hash": body.block_hash, "gas_limit": body.gas_limit, "gas_used": body.gas_used}
    return changed(replace(submission, execution_payload=body), message=message)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"state_root": b"\x99" * 32}, "state_root_mismatch"),
        ({"receipts_root": b"\x99" * 32}, "receipts_root_mismatch"),
        ({"logs_bloom": b"\x99" * 256}, "logs_bloom_mismatch"),
        ({"gas_used": 84_001}, "gas_used_mismatch"),
        ({"gas_limit": 29_999_999}, "gas_limit_mismatch"),
        ({"base_fee_per_gas": 6 * 10**9}, "base_fee_mismatch"),
        ({"excess_blob_gas": 131_072}, "excess_blob_gas_mismatch"),
        ({"blob_gas_used": 131_072}, "blob_gas_mismatch"),
        ({"fee_recipient": b"\x99" * 20}, "invalid_transaction"),
    ],
)
async def test_a_wrong_field_behind_a_right_hash_fails_in_simulation(payload, code):
    relay = make_relay()
    submission = rehashed(relay, make_submission(relay), **payload)
    status, body = await judged(submission, relay)
    assert status == 400
    assert json.loads(body)["message"].startswith("simulation failed: ")
    assert relay.receipts[0].answer.code == code


async def test_a_block_hash_that_is_not_the_payload_s_fails_in_simulation():
    relay = make_relay()
    wrong = {"block_hash": b"\x99" * 32}
    submission = changed(make_submission(relay), message=wrong, payload=wrong)
    status, _ = await judged(submission, relay)
    assert (status, relay.receipts[0].answer.code) == (400, "block_hash_mismatch")


async def test_a_blob_bundle_without_its_transactions_is_refused():
    relay = make_relay()
    bundle = BlobsBundle((b"\xc0" + bytes(47),), (b"\xc0" + bytes(47),), (bytes(131_072),))
    submission = replace(make_submission(relay), blobs_bundle=bundle)
    status, _ = await judged(submission, relay)
    assert (status, relay.receipts[0].answer.code) == (400, "versioned_hash_mismatch")


async def test_a_bid_one_wei_above_the_payment_is_refused():
    relay = make_relay()
    submission = make_submission(relay)
    overbid = changed(submission, message={"value": submission.message.value + 1})
    status, body = await judged(overbid, relay)
    assert status == 400
    assert "could not verify proposer payment" in json.loads(body)["message"]


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 400)])
async def test_paying_more_than_the_bid_holds_loosely_and_not_strictly(strict, status):
    relay = make_relay(strict=strict)
    submission = make_submission(relay)
    underbid = changed(submission, message={"value": submission.message.value - 1})
    assert (await judged(underbid, relay))[0] == status


async def test_a_parent_state_the_relay_lacks_is_an_unknown_ancestor():
    relay = make_relay()
    submission = make_submission(relay)
    slot = relay.slots.of_block(1)
    relay.slots.add(replace(slot, state=None))
    status, body = await judged(submission, relay)
    assert status == 400
    assert "unknown ancestor" in json.loads(body)["message"]


async def test_a_simulation_that_takes_too_long_is_a_504():
    relay = make_relay(rules=RelayRules(simulation_timeout_s=0.05))
    submission = make_submission(relay)
    relay.validator.validate = lambda *_: [time.sleep(0.2)]
    assert await judged(submission, relay) == error("validation request timeout", 504)


# Limits


async def test_bodies_past_the_limit_and_bombs_are_refused_before_they_are_kept():
    relay = make_relay()
    async with running(relay) as url, aiohttp.ClientSession() as session:
        headers = {"Content-Type": wire.SSZ_TYPE}
        async with session.post(url + PATH, data=bytes(wire.MAX_BODY_BYTES + 1), headers=headers) as got:
            assert got.status == 413
        bomb = gzip.compress(bytes(64 * 1024 * 1024))
        async with session.post(url + PATH, data=bomb, headers=headers | {"Content-Encoding": "gzip"}) as got:
            assert got.status == 413
            assert "inflates" in (await got.json())["message"]
        async with session.post(url + PATH, data=slowly(), headers=headers) as got:
            assert got.status == 413
        async with session.get(url + "/livez") as got:
            assert got.status == 200


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch):
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.1)
    async with running(make_relay()) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {wire.SSZ_TYPE}\r\n"
        writer.write(f"{head}Content-Length: 1000\r\n\r\nx".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()


async def slowly():
    for _ in range(17):
        yield bytes(1024 * 1024)


# Data API, proposers, health


async def test_the_data_api_lists_verified_bids_and_names_bad_arguments():
    relay = make_relay()
    submission = make_submission(relay)
    async with connected(relay) as client:
        report = await offer(client, submission)
        assert report.accepted
        path = "/relay/v1/data/bidtraces/builder_blocks_received"
        rows = await client.get_json(path, slot=str(SLOT))
        assert rows[0]["num_tx"] == "4"
        assert rows[0]["block_number"] == "1"
        assert rows[0]["value"] == str(submission.message.value)
        assert await client.get_json(path, block_number="2") == []
        for arguments, text in (
            ({}, "need to query for specific slot or block_hash or block_number or builder_pubkey"),
            ({"cursor": "1"}, "cursor argument not supported"),
            ({"slot": "x"}, "invalid slot argument"),
            ({"block_hash": "0x12"}, "invalid block_hash argument"),
            ({"slot": "1", "limit": "501"}, "maximum limit is 500"),
        ):
            with pytest.raises(NodeAnswerError, match=text):
                await client.get_json(path, **arguments)
        path = "/relay/v1/data/bidtraces/proposer_payload_delivered"
        assert await client.get_json(path) == []
        with pytest.raises(NodeAnswerError, match="cannot specify both slot and cursor"):
            await client.get_json(path, slot="1", cursor="1")
        with pytest.raises(NodeAnswerError, match="maximum limit is 200"):
            await client.get_json(path, limit="201")


async def test_the_relay_announces_its_proposers_with_valid_registrations():
    relay = make_relay()
    async with connected(relay) as client:
        [duty] = await client.duties()
        assert duty.slot == SLOT
        assert await client.duty_of_block(1) == duty
        pubkey = "0x" + duty.registration.message.pubkey.hex()
        path = "/relay/v1/data/validator_registration"
        assert (await client.get_json(path, pubkey=pubkey))["message"]["pubkey"] == pubkey
        with pytest.raises(NodeAnswerError, match="missing pubkey argument"):
            await client.get_json(path)
        with pytest.raises(NodeAnswerError, match="no registration found for validator 0x0000"):
            await client.get_json(path, pubkey="0x" + "00" * 48)


async def test_health_and_metrics():
    relay = make_relay()
    async with running(relay) as url, aiohttp.ClientSession() as session:
        await post(url, make_submission(relay))
        for path in ("/livez", "/readyz", "/eth/v1/builder/status"):
            async with session.get(url + path) as got:
                assert got.status == 200
        async with session.get(url + "/metrics") as got:
            text = await got.text()
    assert 'relay_submit_new_block_answers_total{code="ok",status="200"} 1.0' in text
    assert "relay_submit_new_block_simulation_latency_seconds_count 1.0" in text


# The proposer's loop


@pytest.mark.parametrize("fork", [Fork.SHANGHAI, Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA])
async def test_a_proposer_gets_a_signed_header_signs_blind_and_receives_the_payload(fork):
    relay = make_relay(fork=fork)
    submission = make_submission(relay)
    kind = submission.fork
    index, proposer = relay.validators.of_slot(SLOT)
    headers = {"Eth-Consensus-Version": kind.version, "Content-Type": wire.JSON_TYPE}
    async with running(relay) as url, aiohttp.ClientSession() as session:
        parent = submission.message.parent_hash.hex()
        header_url = f"{url}/eth/v1/builder/header/{SLOT}/0x{parent}/0x{proposer.pubkey.hex()}"
        async with session.get(header_url) as got:
            assert got.status == 204
        await post(url, submission)
        async with session.get(header_url) as got:
            document = await got.json()
        bid = codec_json.from_json(schema.SIGNED_BUILDER_BID[kind], document["data"])
        assert document["version"] == kind.version
        assert bid.message.value == submission.message.value
        domain = builder_domain(relay.rules.genesis_fork_version)
        root = signing_root(schema.BUILDER_BID[kind], bid.message, domain)
        assert bls.verify(relay.key.pubkey, root, bid.signature)
        block = blinded_block(
            kind,
            slot=SLOT,
            proposer_index=index,
            header=bid.message.header,
            blob_kzg_commitments=bid.message.blob_kzg_commitments or (),
            execution_requests=bid.message.execution_requests,
        )
        signed = SignedBlindedBeaconBlock(block, proposer.sign_block(BLINDED_BLOCK[kind], block, kind))
        forged = replace(signed, signature=BUILDER.bls.sign_block(BLINDED_BLOCK[kind], block, kind))
        payload_url = f"{url}/eth/v1/builder/blinded_blocks"
        body = codec_json.dumps(codec_json.to_json(SIGNED_BLINDED_BLOCK[kind], forged))
        async with session.post(payload_url, data=body, headers=headers) as got:
            assert (got.status, (await got.json())["message"]) == (400, "could not verify payload signature")
        body = codec_json.dumps(codec_json.to_json(SIGNED_BLINDED_BLOCK[kind], signed))
        async with session.post(payload_url, data=body, headers=headers) as got:
            data = (await got.json())["data"]
        payload = data["execution_payload"] if kind >= ConsensusFork.DENEB else data
        found = codec_json.from_json(schema.EXECUTION_PAYLOAD[kind], payload)
        assert found == submission.execution_payload
        late = await post(url, submission)
    assert late == error("payload for this slot was already delivered")
    assert relay.auction.delivered[0].submission == submission


@pytest.mark.parametrize(
    ("name", "fork"),
    [
        ("builder-specs_bellatrix_signed_blinded_beacon_block.json.zst", ConsensusFork.BELLATRIX),
        ("builder-specs_capella_signed_blinded_beacon_block.json.zst", ConsensusFork.CAPELLA),
        ("builder-specs_deneb_signed_blinded_beacon_block.json.zst", ConsensusFork.DENEB),
        ("builder-specs_electra_signed_blinded_beacon_block.json.zst", ConsensusFork.ELECTRA),
        ("builder-specs_fulu_signed_blinded_beacon_block.json.zst", ConsensusFork.FULU),
    ],
)
def test_blinded_blocks_of_builder_specs_survive_json_to_ssz_to_json(relay_file, name, fork):
    kind = SIGNED_BLINDED_BLOCK[fork]
    document = codec_json.loads(relay_file(name))["value"]
    signed = codec_json.from_json(kind, document)
    assert kind.decode(memoryview(kind.encode(signed))) == signed
    assert codec_json.to_json(kind, signed) == document


# Posting slots, running the process


async def test_a_slot_can_be_handed_in_with_its_state():
    relay, other = make_relay(), make_relay()
    slot = relay.slots.of_block(1)
    relay.slots = type(relay.slots)()
    async with connected(relay) as client:
        document = slot_to_json(slot.context, b"\xcb" * 20, slot.state, note="test")
        await client.post_json("/sandbox/v1/slots", document)
        assert relay.slots.of_block(1).state == slot.state
        assert relay.slots.of_block(1).note == "test"
        report = await offer(client, make_submission(other))
        assert report.accepted
        wrong = {"slot": None, "parent_hash": "0x", "fork": "tokyo", "state": {"accounts": 5}}
        for field, value in wrong.items():
            with pytest.raises(NodeAnswerError, match=field):
                await client.post_json("/sandbox/v1/slots", document | {field: value})


async def test_receipts_join_the_sender_s_trace():
    relay = make_relay()
    async with connected(relay) as client:
        report = await offer(client, make_submission(relay))
        [receipt] = await client.receipts(report.submission.message.block_hash)
    attempt = report.attempts[0]
    assert receipt["trace_id"] == attempt.trace_id.hex()
    assert receipt["sender_span_id"] == attempt.span_id.hex()
    assert receipt["accepted"] is True
    assert {"signature", "payment", "state_root"} <= {check["name"] for check in receipt["checks"]}


def test_a_port_in_use_is_named_and_only_loopback_is_served():
    bound = bind("127.0.0.1", 0)
    try:
        with pytest.raises(PortInUse, match=str(bound.getsockname()[1])):
            bind("127.0.0.1", bound.getsockname()[1])
        assert url_of(bound).startswith("http://127.0.0.1:")
    finally:
        bound.close()
    with pytest.raises(RelayRefused):
        bind("0.0.0.0", 0)
