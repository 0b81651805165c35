"""The SSZ codec against official roots, real submissions, and bytes nobody meant."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mev_dagster.errors import DecodeError
from mev_dagster.pbs import codec_json, schema
from mev_dagster.pbs.blinded import SIGNED_BLINDED_BLOCK
from mev_dagster.pbs.ssz import Bitlist, Bitvector, ByteList, List, Uint, merkleize, mix_in_length
from mev_dagster.pbs.types import ConsensusFork

SUBMISSIONS = {
    "alloy_relay_single_payload.json.zst": ConsensusFork.CAPELLA,
    "helix_signed-bid-submission-deneb.json.zst": ConsensusFork.DENEB,
    "helix_signed-bid-submission-electra-3.json.zst": ConsensusFork.ELECTRA,
    "helix_signed-bid-submission-fulu.json.zst": ConsensusFork.FULU,
}
BIDS = {
    "builder-specs_bellatrix_signed_builder_bid.json": ConsensusFork.BELLATRIX,
    "builder-specs_capella_signed_builder_bid.json.zst": ConsensusFork.CAPELLA,
    "builder-specs_deneb_signed_builder_bid.json.zst": ConsensusFork.DENEB,
    "builder-specs_electra_signed_builder_bid.json.zst": ConsensusFork.ELECTRA,
    "builder-specs_fulu_signed_builder_bid.json.zst": ConsensusFork.FULU,
}


@pytest.mark.parametrize(("name", "fork"), SUBMISSIONS.items())
def test_a_submission_survives_json_to_ssz_to_json(relay_file, name, fork):
    kind = schema.SUBMIT_BLOCK_REQUEST[fork]
    document = codec_json.loads(relay_file(name))
    submission = codec_json.from_json(kind, document)
    decoded = kind.decode(memoryview(kind.encode(submission)))
    assert decoded == submission
    known = {item.name for item in kind.fields}
    expected = {name: value for name, value in document.items() if name in known}
    assert lowered(codec_json.to_json(kind, decoded)) == lowered(expected)


@pytest.mark.parametrize(("name", "fork"), BIDS.items())
def test_a_bid_survives_json_to_ssz_to_json(relay_file, name, fork):
    kind = schema.SIGNED_BUILDER_BID[fork]
    document = codec_json.loads(relay_file(name))["value"]["data"]
    bid = codec_json.from_json(kind, document)
    assert kind.decode(memoryview(kind.encode(bid))) == bid
    assert codec_json.to_json(kind, bid) == document


# What a consensus client makes of the same documents: ssz[fork].SignedBuilderBid and SignedBlindedBeaconBlock
# of @lodestar/types 1.50.0, hashTreeRoot(fromJson(document)). Fulu's have Electra's form.
LODESTAR_ROOTS = {
    "builder_bid": {
        "bellatrix": "f25dcb60aa98abb77b8cc857adde42c995d75578b352ae05b1a00ee4fe3d66a1",
        "capella": "fb69451b94c6d04441a2cc2e276aa45c99630a87daca1329d4f77d58f5f2117d",
        "deneb": "25901c8354b352efa474b60903dc40b9d925f4b7018a7ecd9dcff181b4161f8d",
        "electra": "32df988def8392a55116ca4aed1bfa8a5bc6c26a3cee4bbac9fba949db3459b0",
        "fulu": "32df988def8392a55116ca4aed1bfa8a5bc6c26a3cee4bbac9fba949db3459b0",
    },
    "blinded_beacon_block": {
        "bellatrix": "d17efedb3a8e1310da7e7849f4dc8dd157c235c61e7ea8ad238c2d1d2e225ad4",
        "capella": "d7fea2717985bcf0727fd202648a738a6cf71851f9f6a207bae736c8300197df",
        "deneb": "1d12387193eb54a3c8b49ea6016ec1841252752f1d6f7bb751708c566b94e71d",
        "electra": "5f53fa4be7e9b5cb7f26fadce44a54e8c1d561941d44bec4c300c73265db282d",
        "fulu": "5f53fa4be7e9b5cb7f26fadce44a54e8c1d561941d44bec4c300c73265db282d",
    },
}


@pytest.mark.parametrize("fork", ConsensusFork, ids=lambda fork: fork.version)
@pytest.mark.parametrize("kind", LODESTAR_ROOTS)
def test_bids_and_blinded_blocks_have_the_roots_a_consensus_client_computes(fixtures, relay_file, kind, fork):
    [path] = (fixtures / "relay").glob(f"builder-specs_{fork.version}_signed_{kind}.json*")
    document = codec_json.loads(relay_file(path.name))["value"]
    schemas = {"builder_bid": schema.SIGNED_BUILDER_BID, "blinded_beacon_block": SIGNED_BLINDED_BLOCK}
    container = schemas[kind][fork]
    value = codec_json.from_json(container, document.get("data", document))
    assert container.hash_tree_root(value).hex() == LODESTAR_ROOTS[kind][fork.version]


def test_registrations_survive_json_to_ssz_to_json(relay_file):
    kind = schema.SIGNED_VALIDATOR_REGISTRATIONS
    document = codec_json.loads(relay_file("builder-specs_bellatrix_signed_validator_registrations.json"))[
        "value"
    ]
    registrations = codec_json.from_json(kind, document)
    assert kind.decode(memoryview(kind.encode(registrations))) == registrations
    assert codec_json.to_json(kind, registrations) == document


def test_the_goerli_capella_submission_has_its_official_root(relay_file):
    kind = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.CAPELLA]
    data = relay_file("alloy_relay_signed_bid_submission_capella.ssz.zst")
    submission = kind.decode(memoryview(data))
    assert kind.encode(submission) == data
    assert kind.hash_tree_root(submission).hex() == (
        "014c218ba41c2ed5388e7f0ed055e109b83692c772de5c2800140a95a4b66d13"
    )
    assert schema.BID_TRACE.hash_tree_root(submission.message).hex() == (
        "417123e26567af28373021612a493cc1185bfad4f2dbd7c0acddce443f068b29"
    )


def test_the_fulu_submission_has_its_official_root(relay_file):
    kind = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.FULU]
    document = codec_json.loads(relay_file("helix_signed-bid-submission-fulu.json.zst"))
    submission = codec_json.from_json(kind, document)
    assert kind.hash_tree_root(submission).hex() == (
        "0e298120f364a7319654285e375c3afd73bb3daa008d922ce30ea8d6dbf30c35"
    )
    assert schema.BID_TRACE.hash_tree_root(submission.message).hex() == (
        "ecc961cbf79ad6990e1cd1147310d3fb4c216a39d2c11f34830e7227f705fcca"
    )


def test_a_payload_and_its_header_have_one_root(relay_file):
    fork = ConsensusFork.CAPELLA
    submission = schema.SUBMIT_BLOCK_REQUEST[fork].decode(
        memoryview(relay_file("alloy_relay_signed_bid_submission_capella.ssz.zst"))
    )
    payload = submission.execution_payload
    header = schema.payload_header(fork, payload)
    assert schema.EXECUTION_PAYLOAD_HEADER[fork].hash_tree_root(header) == schema.EXECUTION_PAYLOAD[
        fork
    ].hash_tree_root(payload)


def test_a_value_of_another_fork_is_refused(relay_file):
    capella = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.CAPELLA]
    submission = capella.decode(memoryview(relay_file("alloy_relay_signed_bid_submission_capella.ssz.zst")))
    with pytest.raises(DecodeError, match="blobs_bundle"):
        schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.DENEB].encode(submission)
    with pytest.raises(DecodeError, match="withdrawals"):
        schema.EXECUTION_PAYLOAD[ConsensusFork.BELLATRIX].encode(submission.execution_payload)


def test_merkle_roots_follow_the_definition_pair_by_pair():
    one, two, three = (bytes([value]) * 32 for value in (1, 2, 3))
    zero = bytes(32)
    left = hashlib.sha256(one + two).digest()
    right = hashlib.sha256(three + zero).digest()
    assert merkleize(one + two + three) == hashlib.sha256(left + right).digest()
    assert (
        merkleize(one, limit=4)
        == hashlib.sha256(hashlib.sha256(one + zero).digest() + hashlib.sha256(zero + zero).digest()).digest()
    )
    assert merkleize(b"", limit=1) == zero
    assert List(Uint(8), 4).hash_tree_root((7,)) == mix_in_length((7).to_bytes(32, "little"), 1)


def test_bits_past_the_end_and_missing_end_markers_are_refused():
    assert Bitvector(10).decode(memoryview(b"\xff\x03")) == b"\xff\x03"
    with pytest.raises(DecodeError, match="past the end"):
        Bitvector(10).decode(memoryview(b"\xff\x07"))
    with pytest.raises(DecodeError, match="end marker"):
        Bitlist(16).decode(memoryview(b"\xff\x00"))
    with pytest.raises(DecodeError, match="at most 8 bits"):
        Bitlist(8).decode(memoryview(b"\xff\x02"))
    assert Bitlist(8).hash_tree_root(b"\x0d") == mix_in_length((5).to_bytes(32, "little"), 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x04\0\0", "an offset"),
        (b"\0\0\0\0", "first offset 0"),
        (b"\x05\0\0\0x", "first offset 5"),
        (b"\x08\0\0\0\x07\0\0\0", "8..7"),
        (b"\x04\0\0\0" + b"x" * 5, "at most 4 bytes"),
        (b"\x08\0\0\0\xff\0\0\0", "of 8 bytes"),
        (b"\x0c\0\0\0" * 3, "at most 2 elements"),
    ],
)
def test_offsets_that_overlap_run_back_or_leave_a_gap_are_refused(data, reason):
    with pytest.raises(DecodeError, match=reason):
        List(ByteList(4), 2).decode(memoryview(data), "list")


@pytest.fixture(scope="module")
def small_submission() -> bytes:
    """A Deneb submission without blobs: every kind of field in 900 bytes."""
    kind = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.ELECTRA]
    payload = {item.name: zero_json(item) for item in kind.fields[1].type.fields}
    payload |= {"transactions": ["0x02c0", "0x"], "extra_data": "0x6d6576"}
    payload["withdrawals"] = [
        {"index": "1", "validator_index": "2", "address": "0x" + "11" * 20, "amount": "3"}
    ]
    document = {
        "message": {item.name: zero_json(item) for item in schema.BID_TRACE.fields},
        "execution_payload": payload,
        "blobs_bundle": {"commitments": ["0x" + "c0" * 48], "proofs": [], "blobs": []},
        "execution_requests": {"deposits": [], "withdrawals": [], "consolidations": []},
        "signature": "0x" + "aa" * 96,
    }
    return kind.encode(codec_json.from_json(kind, document))


def zero_json(item):
    return "0" if isinstance(item.type, Uint) else "0x" + "00" * (item.type.fixed_bytes or 0)


def test_every_truncation_is_refused(small_submission):
    kind = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.ELECTRA]
    accepted = []
    for length in range(len(small_submission)):
        try:
            accepted.append(kind.decode(memoryview(small_submission[:length])))
        except DecodeError:
            continue
    # Cutting inside the last variable-size list can only leave whole elements: there are none here.
    assert accepted == []


@settings(max_examples=1500, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6))
def test_altered_bytes_are_refused_or_mean_exactly_themselves(small_submission, edits):
    kind = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.ELECTRA]
    data = bytearray(small_submission)
    for at, value in edits:
        data[at % len(data)] = value
    refused_or_canonical(kind, bytes(data))


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=1500), fork=st.sampled_from(list(ConsensusFork)))
def test_random_bytes_are_refused_or_mean_exactly_themselves(data, fork):
    refused_or_canonical(schema.SUBMIT_BLOCK_REQUEST[fork], data)


def refused_or_canonical(kind, data):
    try:
        value = kind.decode(memoryview(data))
    except DecodeError:
        return
    assert kind.encode(value) == data


def lowered(value):
    """Fee recipients may be written in checksum case; bytes have none."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, list):
        return [lowered(item) for item in value]
    if isinstance(value, dict):
        return {name: lowered(item) for name, item in value.items()}
    return value
