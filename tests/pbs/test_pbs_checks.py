"""`mev relay check`: every field of a real submission is covered by a check that notices its change."""

import gzip
import json
import subprocess
import sys

import pytest
import zstandard

from mev_dagster.errors import DecodeError
from mev_dagster.pbs import checks, codec_json, wire
from mev_dagster.pbs.payload import block_of, payload_of, requests_hash
from mev_dagster.pbs.types import ConsensusFork, ExecutionRequests

MAINNET = "alloy_relay_single_payload.json.zst"
GOERLI = "alloy_relay_signed_bid_submission_capella.ssz.zst"
FULU = "helix_signed-bid-submission-fulu.json.zst"


def failed(body: bytes, **flags) -> dict[str, str]:
    submission = wire.decode_submission(body)
    return {check.name: check.code for check in checks.check_all(submission, **flags) if not check.ok}


@pytest.fixture(scope="module")
def document(relay_file):
    return codec_json.loads(relay_file(MAINNET))


@pytest.mark.parametrize("name", [MAINNET, GOERLI])
def test_real_submissions_pass_every_check(relay_file, name):
    assert failed(relay_file(name)) == {}


def test_a_signature_is_judged_under_the_named_network_alone(relay_file):
    mainnet = relay_file(MAINNET)
    assert failed(mainnet, genesis_fork_version=bytes(4)) == {}
    for version in ("90000069", "fffffff0", "12345678"):
        assert (
            failed(mainnet, genesis_fork_version=bytes.fromhex(version))["signature"] == "invalid_signature"
        )


OTHER_PUBKEY = (
    "0xa491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c0618f6e5a7f79a"
)
MESSAGE_FIELDS = {
    "slot": "6768261",
    "parent_hash": "0x" + "11" * 32,
    "block_hash": "0x" + "11" * 32,
    "builder_pubkey": OTHER_PUBKEY,
    "proposer_pubkey": OTHER_PUBKEY,
    "proposer_fee_recipient": "0x" + "11" * 20,
    "gas_limit": "30000001",
    "gas_used": "10241366",
    "value": "18829780302110961",
}
REPEATED_IN_PAYLOAD = {"parent_hash", "block_hash", "gas_limit", "gas_used"}


@pytest.mark.parametrize("field", MESSAGE_FIELDS)
def test_a_changed_message_field_breaks_the_signature(document, field):
    changed = document | {"message": document["message"] | {field: MESSAGE_FIELDS[field]}}
    found = failed(json.dumps(changed).encode())
    assert found["signature"] == "invalid_signature"
    assert set(found) == {"signature"} | ({"message"} if field in REPEATED_IN_PAYLOAD else set())


PAYLOAD_FIELDS = {
    "parent_hash": "0x" + "11" * 32,
    "fee_recipient": "0x" + "11" * 20,
    "state_root": "0x" + "11" * 32,
    "receipts_root": "0x" + "11" * 32,
    "logs_bloom": "0x" + "11" * 256,
    "prev_randao": "0x" + "11" * 32,
    "block_number": "17585077",
    "gas_limit": "30000001",
    "gas_used": "10241366",
    "timestamp": "1688043144",
    "extra_data": "0x",
    "base_fee_per_gas": "26097588306",
    "block_hash": "0x" + "11" * 32,
}


@pytest.mark.parametrize("field", PAYLOAD_FIELDS)
def test_a_changed_payload_field_breaks_the_block_hash(document, field):
    changed = document | {"execution_payload": document["execution_payload"] | {field: PAYLOAD_FIELDS[field]}}
    found = failed(json.dumps(changed).encode())
    assert found["block_hash"] == "block_hash_mismatch"
    expected = {"block_hash"}
    if field in REPEATED_IN_PAYLOAD:
        expected.add("message")
    if field == "timestamp":
        expected.add("timestamp")
    assert set(found) == expected


@pytest.mark.parametrize("field", ["index", "validator_index", "address", "amount"])
def test_a_changed_withdrawal_breaks_the_block_hash(document, field):
    payload = document["execution_payload"]
    withdrawals = [dict(item) for item in payload["withdrawals"]]
    withdrawals[5][field] = "0x" + "11" * 20 if field == "address" else "7"
    changed = document | {"execution_payload": payload | {"withdrawals": withdrawals}}
    assert failed(json.dumps(changed).encode()) == {"block_hash": "block_hash_mismatch"}


def with_transactions(document, transactions):
    payload = document["execution_payload"] | {"transactions": transactions}
    return json.dumps(document | {"execution_payload": payload}).encode()


def test_reordered_dropped_and_damaged_transactions_are_noticed(document):
    txs = document["execution_payload"]["transactions"]
    swapped = [txs[1], txs[0], *txs[2:]]
    assert failed(with_transactions(document, swapped)) == {"block_hash": "block_hash_mismatch"}
    assert failed(with_transactions(document, txs[:-1])) == {"block_hash": "block_hash_mismatch"}
    assert failed(with_transactions(document, [])) == {
        "value": "no_transactions",
        "block_hash": "block_hash_mismatch",
    }
    truncated = [*txs[:3], txs[3][:-2], *txs[4:]]
    found = failed(with_transactions(document, truncated))
    assert set(found) == {"transactions", "block_hash"}


def test_an_undecodable_transaction_is_named_by_its_index(document):
    txs = document["execution_payload"]["transactions"]
    submission = wire.decode_submission(with_transactions(document, [*txs[:3], "0x05c0", *txs[4:]]))
    _, check = checks.transactions(submission)
    assert not check.ok
    assert "transactions[3]" in check.message


@pytest.mark.parametrize(
    ("signature", "code"),
    [("0x" + "ff" * 96, "malformed_signature"), ("0xc0" + "00" * 95, "invalid_signature")],
)
def test_a_signature_that_is_no_point_differs_from_a_wrong_one(document, signature, code):
    assert failed(json.dumps(document | {"signature": signature}).encode()) == {"signature": code}


def test_a_zero_bid_is_named(document):
    changed = document | {"message": document["message"] | {"value": "0"}}
    assert failed(json.dumps(changed).encode())["value"] == "zero_value"


def test_blobs_of_the_fulu_submission_hold_and_a_changed_cell_proof_does_not(relay_file):
    submission = wire.decode_submission(relay_file(FULU))
    assert submission.fork == ConsensusFork.FULU
    decoded, _ = checks.transactions(submission)
    assert checks.blobs(submission, decoded).ok
    document = codec_json.loads(relay_file(FULU))
    proofs = document["blobs_bundle"]["proofs"]
    proofs[0], proofs[1] = proofs[1], proofs[0]
    changed = wire.decode_submission(json.dumps(document).encode())
    assert checks.blobs(changed, decoded).code == "invalid_kzg_proof"
    document["blobs_bundle"]["commitments"][0] = document["blobs_bundle"]["commitments"][1]
    changed = wire.decode_submission(json.dumps(document).encode())
    assert checks.blobs(changed, decoded).code == "versioned_hash_mismatch"


def test_a_block_hash_past_deneb_needs_the_parent_beacon_root(relay_file):
    body = relay_file(FULU)
    assert failed(body)["block_hash"] == "parent_beacon_root_missing"
    assert failed(body, parent_beacon_root=bytes(32))["block_hash"] == "block_hash_mismatch"


def test_no_requests_hash_to_the_empty_sha256():
    assert requests_hash(ExecutionRequests()).hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_a_payload_becomes_its_block_and_the_block_its_payload(relay_file):
    submission = wire.decode_submission(relay_file(MAINNET))
    block = block_of(submission.fork, submission.execution_payload)
    assert block.hash == submission.message.block_hash
    assert payload_of(block) == submission.execution_payload


# The command itself


def mev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mev_dagster", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_prints_one_json_document_and_ends_with_0(fixtures):
    ran = mev("relay", "check", str(fixtures / "relay" / MAINNET), "--json")
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["accepted"] is True
    assert {"signature", "block_hash"} <= {check["name"] for check in answer["checks"]}
    assert all(set(check) == {"name", "ok", "code", "message"} for check in answer["checks"])


@pytest.mark.parametrize("form", ["json", "json.gz", "ssz", "ssz.gz", "ssz.zst"])
def test_every_form_of_a_submission_is_judged_the_same(relay_file, tmp_path, form):
    submission = wire.decode_submission(relay_file(MAINNET))
    body = wire.encode_submission(submission, json=form.startswith("json"))
    if form.endswith("gz"):
        body = gzip.compress(body)
    if form.endswith("zst"):
        body = zstandard.ZstdCompressor().compress(body)
    assert wire.decode_submission(wire.decompress(body)) == submission


def test_a_refused_submission_ends_with_1_and_a_damaged_file_with_2(relay_file, tmp_path):
    document = codec_json.loads(relay_file(MAINNET))
    refused, damaged = tmp_path / "refused.json", tmp_path / "damaged.json"
    refused.write_text(json.dumps(document | {"signature": "0xc0" + "00" * 95}))
    del document["execution_payload"]["prev_randao"]
    damaged.write_text(json.dumps(document))
    ran = mev("relay", "check", str(refused), "--json")
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["accepted"] is False
    ran = mev("relay", "check", str(damaged), "--json")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "damaged.json: execution_payload.prev_randao" in ran.stderr
    ran = mev("relay", "check", str(tmp_path / "absent.json"))
    assert ran.returncode == 2
    assert "absent.json" in ran.stderr


def test_truncated_and_inflating_bodies_are_typed_errors(relay_file):
    body = relay_file(GOERLI)
    with pytest.raises(DecodeError, match="gzip"):
        wire.decompress(gzip.compress(body)[:-9])
    with pytest.raises(DecodeError, match="zstd"):
        wire.decompress(zstandard.ZstdCompressor().compress(body)[:-9])
    with pytest.raises(DecodeError, match="too_large"):
        wire.decompress(gzip.compress(bytes(50_000_000)))
    with pytest.raises(DecodeError, match="too_large"):
        wire.decompress(zstandard.ZstdCompressor().compress(bytes(50_000_000)))
    with pytest.raises(DecodeError, match="too_large"):
        wire.decompress(bytes(wire.MAX_BODY_BYTES + 1))
    with pytest.raises(DecodeError, match="execution_payload"):
        wire.decode_submission(body[:-400])
    with pytest.raises(DecodeError, match="ssz_offset"):
        wire.decode_submission(b"\x00" * 10)
