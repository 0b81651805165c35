"""BLS, domains, and the guard that makes every signature worthless on a public network."""

import copy
import pickle

import pytest

from mev_dagster.errors import DecodeError, RelayRefused
from mev_dagster.pbs import bls, codec_json, schema, signing
from mev_dagster.pbs.keys import BlsKey, Keyring
from mev_dagster.pbs.types import ConsensusFork, ValidatorRegistration

DOMAINS = {
    "mainnet": "00000001f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a9",
    "sepolia": "00000001d3010778cd08ee514b08fe67b6c503b510987a4ce43f42306d97c67c",
    "holesky": "000000015b83a23759c560b2d0c64576e1dcfc34ea94c4988f3e0d9f77f05387",
    "hoodi": "00000001719103511efa4f1362ff2a50996cccf329cc84cb410c5e5c7d351d03",
    "goerli": "00000001e4be9393b074ca1f3e4aabd585ca4bea101170ccfaf71b89ce5c5c38",
    "kiln": "000000017acd69a9ede79f3eb3eaa814c09159eeaa3d004be62f3372d9b31e9c",
    "kurtosis": "000000010b41be4cdb34d183dddca5398337626dcdcfaf1720c1202d3b95f84e",
}
SECRET = 0x263DBD792F5B1BE47ED85F8938C0F29586AF0D3AC7B977F21C278FE1462040E3
PUBKEY = "a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c0618f6e5a7f79a"


@pytest.mark.parametrize("network", signing.NETWORKS, ids=lambda network: network.name)
def test_builder_domains_are_the_networks_own(network):
    assert signing.builder_domain(network.genesis_fork_version).hex() == DOMAINS[network.name]


def test_a_public_key_derives_as_in_go_boost_utils():
    assert bls.public_key(SECRET).hex() == PUBKEY


def test_signatures_equal_py_ecc_s():
    oracle = pytest.importorskip("py_ecc.bls").G2ProofOfPossession
    message = b"\x5a" * 32
    signature = bls.sign(SECRET, message)
    assert signature == oracle.Sign(SECRET, message)
    assert bls.verify(bytes.fromhex(PUBKEY), message, signature)
    assert not bls.verify(bytes.fromhex(PUBKEY), message + b"!", signature)


def test_the_real_mainnet_builder_signature_verifies_under_mainnet_alone(relay_file):
    kind = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.CAPELLA]
    submission = codec_json.from_json(
        kind, codec_json.loads(relay_file("alloy_relay_single_payload.json.zst"))
    )
    assert verifying_networks(submission) == ["mainnet"]


def test_the_real_goerli_builder_signature_verifies_under_goerli_alone(relay_file):
    kind = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.CAPELLA]
    submission = kind.decode(memoryview(relay_file("alloy_relay_signed_bid_submission_capella.ssz.zst")))
    domain = signing.builder_domain(bytes.fromhex("00001020"))
    assert signing.signing_root(schema.BID_TRACE, submission.message, domain).hex() == (
        "959ebd77edbc98737de953f19f9ae3643cb3832191c90b9254498d1b5a9565b8"
    )
    assert verifying_networks(submission) == ["goerli"]


def verifying_networks(submission):
    return [
        network.name
        for network in signing.NETWORKS
        if bls.verify(
            submission.message.builder_pubkey,
            signing.signing_root(
                schema.BID_TRACE, submission.message, signing.builder_domain(network.genesis_fork_version)
            ),
            submission.signature,
        )
    ]


@pytest.mark.parametrize(
    "pubkey",
    [b"", b"\xc0" + bytes(47), b"\xff" * 48, b"\x80" + bytes(47), bytes.fromhex(PUBKEY)[:-1] + b"\x00"],
    ids=["empty", "identity", "no point", "x=0", "off the subgroup"],
)
def test_a_public_key_that_is_none_is_a_typed_error(pubkey):
    with pytest.raises(DecodeError, match="bls_pubkey"):
        bls.verify(pubkey, b"message", bls.sign(SECRET, b"message"))


@pytest.mark.parametrize("signature", [b"", b"\xff" * 96, bytes(96)])
def test_a_signature_that_is_no_point_is_a_typed_error(signature):
    with pytest.raises(DecodeError, match="bls_signature"):
        bls.verify(bytes.fromhex(PUBKEY), b"message", signature)


@pytest.mark.parametrize("secret", [0, bls.CURVE_ORDER, -1])
def test_a_secret_outside_the_order_is_refused(secret):
    with pytest.raises(DecodeError, match="bls_secret"):
        bls.public_key(secret)


REGISTRATION = ValidatorRegistration(bytes(20), 30_000_000, 1, bytes.fromhex(PUBKEY))


@pytest.mark.parametrize(
    "network", [item for item in signing.NETWORKS if item.name != "kurtosis"], ids=lambda item: item.name
)
def test_no_key_signs_under_a_public_network_s_domain(network):
    key = BlsKey(SECRET)
    with pytest.raises(RelayRefused, match=network.name):
        key.sign(schema.VALIDATOR_REGISTRATION, REGISTRATION, network.genesis_fork_version)


def test_a_sandbox_signature_is_invalid_on_every_public_network():
    key = BlsKey(SECRET)
    signature = key.sign(schema.VALIDATOR_REGISTRATION, REGISTRATION, signing.SANDBOX_GENESIS_FORK_VERSION)
    roots = {
        name: signing.signing_root(schema.VALIDATOR_REGISTRATION, REGISTRATION, bytes.fromhex(domain))
        for name, domain in DOMAINS.items()
    }
    assert not any(bls.verify(key.pubkey, root, signature) for root in roots.values())
    sandbox = signing.signing_root(schema.VALIDATOR_REGISTRATION, REGISTRATION, signing.sandbox_domain())
    assert bls.verify(key.pubkey, sandbox, signature)


@pytest.mark.parametrize("chain_id", [1, 5, 17000, 560048, 11155111])
def test_no_payout_is_signed_for_a_public_chain(chain_id):
    keys = Keyring.test_only("guard")
    with pytest.raises(RelayRefused, match=f"public chain {chain_id}"):
        keys.payout.sign_payment(
            chain_id=chain_id, nonce=0, to=bytes(20), value_wei=1, gas_limit=21_000, base_fee_wei=7
        )


def test_test_only_keys_are_the_same_each_time_and_say_so():
    first, second = Keyring.test_only("replay"), Keyring.test_only("replay")
    assert first.bls.pubkey == second.bls.pubkey
    assert first.payout.address == second.payout.address
    assert Keyring.test_only("other").bls.pubkey != first.bls.pubkey
    assert repr(first).count("TEST-ONLY") == 2


def test_ephemeral_keys_differ_and_show_no_secret():
    first, second = Keyring.ephemeral(), Keyring.ephemeral()
    assert first.bls.pubkey != second.bls.pubkey
    key = BlsKey(SECRET)
    shown = repr(key) + repr(key._secret) + str(key._secret)
    assert f"{SECRET:x}" not in shown
    assert str(SECRET) not in shown


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_keys_refuse_to_leave_the_process(leave):
    with pytest.raises(RelayRefused):
        leave(Keyring.ephemeral().bls._secret)
    with pytest.raises((RelayRefused, TypeError)):
        pickle.dumps(Keyring.ephemeral())
