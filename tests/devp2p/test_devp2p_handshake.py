"""The RLPx handshake against EIP-8's own vectors, and against itself in both roles."""

import json

import pytest
from sha3 import keccak_256

from mev_dagster.devp2p.ecies import seal, unseal
from mev_dagster.devp2p.handshake import Initiator, Recipient, packet_size
from mev_dagster.devp2p.keys import NodeKey, parse_id
from mev_dagster.errors import DecodeError, ProtocolViolation


@pytest.fixture(scope="module")
def eip8(fixtures):
    return json.loads((fixtures / "p2p" / "eip8_rlpx_handshake.json").read_text())


def scripted(*values: bytes):
    """Entropy that yields these values first, then something repeatable."""
    queue = list(values)

    def take(count: int) -> bytes:
        if queue and len(queue[0]) == count:
            return queue.pop(0)
        return keccak_256(bytes((len(queue), count))).digest()[:count]

    return take


def packets(eip8, kind):
    return [bytes.fromhex(entry["input"]) for entry in eip8["vectors"] if entry["kind"] == kind]


def keys(eip8):
    return {name: bytes.fromhex(value) for name, value in eip8["keys"].items()}


def initiator(eip8, recipient: NodeKey) -> Initiator:
    held = keys(eip8)
    entropy = scripted(held["initiator_ephemeral_key"], held["nonce_initiator"])
    return Initiator(NodeKey(held["initiator_static_key"]), recipient.id, entropy)


@pytest.mark.fixtures
@pytest.mark.parametrize("index", [0, 1], ids=["version 4", "version 56 and more fields"])
def test_a_recipient_reads_the_auth_packets_of_eip8(eip8, index):
    held = keys(eip8)
    entropy = scripted(held["responder_ephemeral_key"], held["nonce_responder"])
    auth = packets(eip8, "auth")[index]
    assert packet_size(auth[:2]) == len(auth) - 2
    _, secrets = Recipient(NodeKey(held["responder_static_key"]), entropy).answer(auth)
    assert secrets.remote_id == NodeKey(held["initiator_static_key"]).id
    assert secrets.aes.hex() == "80e8632c05fed6fc2a13b0f8d31a3cf645366239170ea067065aba8e28bac487"
    assert secrets.mac.hex() == "2ea74ec5dae199227dff1af715362700e989d889d7a493cb0639691efb8e5f98"
    if index == 0:
        running = keccak_256(secrets.ingress_seed)
        running.update(b"foo")
        expected = "0c7ec6340062cc46f5e9f1e3cf86f8c8c403c5a0964f5df0ebd34a75ddc86db5"
        assert running.hexdigest() == expected


@pytest.mark.fixtures
@pytest.mark.parametrize("index", [0, 1], ids=["version 4", "version 57 and more fields"])
def test_an_initiator_reads_the_ack_packets_of_eip8(eip8, index):
    recipient = NodeKey(keys(eip8)["responder_static_key"])
    secrets = initiator(eip8, recipient).finish(packets(eip8, "ack")[index])
    assert secrets.aes.hex() == "80e8632c05fed6fc2a13b0f8d31a3cf645366239170ea067065aba8e28bac487"
    assert secrets.mac.hex() == "2ea74ec5dae199227dff1af715362700e989d889d7a493cb0639691efb8e5f98"


def test_both_roles_derive_mirrored_secrets():
    alice, bob = NodeKey.generate(), NodeKey.generate()
    dialling = Initiator(alice, bob.id, scripted(b"\x07" * 32))
    ack, of_bob = Recipient(bob, scripted(b"\x09" * 32)).answer(dialling.auth)
    of_alice = dialling.finish(ack)
    assert (of_alice.aes, of_alice.mac) == (of_bob.aes, of_bob.mac)
    assert of_alice.egress_seed == of_bob.ingress_seed
    assert of_alice.ingress_seed == of_bob.egress_seed
    assert of_bob.remote_id == alice.id


def test_no_bit_of_a_sealed_packet_can_be_changed_unnoticed():
    key = NodeKey(b"\x01" * 32)
    packet = seal(b"secret", key.id, b"shared", scripted())
    assert unseal(packet, key, b"shared") == b"secret"
    for index in range(len(packet)):
        damaged = packet[:index] + bytes((packet[index] ^ 1,)) + packet[index + 1 :]
        with pytest.raises(DecodeError):
            unseal(damaged, key, b"shared")
    with pytest.raises(DecodeError, match="bad_ecies_tag"):
        unseal(packet, key, b"another size")


@pytest.mark.parametrize("point", [bytes(64), b"\xff" * 64, b"\x01" * 63, b"\x00" * 63 + b"\x01"])
def test_what_is_no_curve_point_is_refused_before_any_key_agreement(point):
    with pytest.raises(DecodeError, match="invalid_point"):
        parse_id(point)
    key = NodeKey(b"\x01" * 32)
    if len(point) == 64:
        with pytest.raises(DecodeError, match="invalid_point"):
            unseal(b"\x04" + point + bytes(100), key, b"")


@pytest.mark.parametrize("size", [0, 113, 2049, 65535])
def test_an_implausible_handshake_size_is_refused_before_it_is_waited_for(size):
    with pytest.raises(ProtocolViolation, match="bad_handshake_size"):
        packet_size(size.to_bytes(2, "big"))
