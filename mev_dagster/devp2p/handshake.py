"""The RLPx v4 handshake in EIP-8 form, both roles: an auth packet, an ack packet, the secrets of a link.

Be liberal as EIP-8 asks: any version, more list items and bytes after the list are accepted.
"""

from dataclasses import dataclass

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.ecies import OVERHEAD, seal, unseal
from mev_dagster.devp2p.keys import ID_BYTES, SIGNATURE_BYTES, Entropy, NodeKey, parse_id, recover_id
from mev_dagster.errors import DecodeError, ProtocolViolation

RLPX_VERSION = 4
NONCE_BYTES = 32
PREFIX_BYTES = 2
MAX_PACKET_BYTES = 2048  # both geth and reth refuse more before they know who is talking
_PADDING = 100  # EIP-8: random amount of padding, so that the two packets cannot be told by their size


@dataclass(frozen=True, slots=True)
class Secrets:
    """What both ends derive. The two MAC seeds are what each direction's running hash starts with."""

    remote_id: bytes
    aes: bytes
    mac: bytes
    egress_seed: bytes
    ingress_seed: bytes


def packet_size(prefix: bytes) -> int:
    """Return how many bytes follow the two size bytes of a handshake packet."""
    size = int.from_bytes(prefix, "big")
    if not OVERHEAD < size <= MAX_PACKET_BYTES:
        raise ProtocolViolation("bad_handshake_size", f"{size} bytes, at most {MAX_PACKET_BYTES} are read")
    return size


class Initiator:
    """The end that dialled: knows whom it wants to talk to."""

    def __init__(self, key: NodeKey, remote_id: bytes, entropy: Entropy) -> None:
        self.remote_id = remote_id
        self._key = key
        self._ephemeral = NodeKey.generate(entropy)
        self._nonce = entropy(NONCE_BYTES)
        shared = key.agree(parse_id(remote_id))
        signature = self._ephemeral.sign(_xor(shared, self._nonce))
        body = rlp.encode([signature, key.id, self._nonce, RLPX_VERSION])
        self.auth = _pack(body, remote_id, entropy)

    def finish(self, ack: bytes) -> Secrets:
        """Take the answer, with its size bytes, and return the link's secrets."""
        fields = _unpack(ack, self._key)
        if len(fields) < 2:
            raise DecodeError("bad_ack", f"{len(fields)} fields, expected an id and a nonce")
        ephemeral_id = rlp.fixed(fields[0], ID_BYTES, name="ack ephemeral id")
        nonce = rlp.fixed(fields[1], NONCE_BYTES, name="ack nonce")
        aes, mac = _derive(self._ephemeral, ephemeral_id, responder=nonce, initiator=self._nonce)
        return Secrets(
            self.remote_id,
            aes,
            mac,
            egress_seed=_xor(mac, nonce) + self.auth,
            ingress_seed=_xor(mac, self._nonce) + ack,
        )


class Recipient:
    """The end that was dialled: learns from the auth packet who is calling."""

    def __init__(self, key: NodeKey, entropy: Entropy) -> None:
        self._key, self._entropy = key, entropy

    def answer(self, auth: bytes) -> tuple[bytes, Secrets]:
        """Take the auth packet, with its size bytes; return the ack packet and the link's secrets."""
        fields = _unpack(auth, self._key)
        if len(fields) < 3:
            raise DecodeError("bad_auth", f"{len(fields)} fields, expected signature, id and nonce")
        signature = rlp.fixed(fields[0], SIGNATURE_BYTES, name="auth signature")
        remote_id = rlp.fixed(fields[1], ID_BYTES, name="auth id")
        remote_nonce = rlp.fixed(fields[2], NONCE_BYTES, name="auth nonce")
        shared = self._key.agree(parse_id(remote_id))
        remote_ephemeral_id = recover_id(_xor(shared, remote_nonce), signature)

        ephemeral = NodeKey.generate(self._entropy)
        nonce = self._entropy(NONCE_BYTES)
        ack = _pack(rlp.encode([ephemeral.id, nonce, RLPX_VERSION]), remote_id, self._entropy)
        aes, mac = _derive(ephemeral, remote_ephemeral_id, responder=nonce, initiator=remote_nonce)
        secrets = Secrets(
            remote_id,
            aes,
            mac,
            egress_seed=_xor(mac, remote_nonce) + ack,
            ingress_seed=_xor(mac, nonce) + auth,
        )
        return ack, secrets


def _derive(
    ephemeral: NodeKey, remote_ephemeral_id: bytes, *, responder: bytes, initiator: bytes
) -> tuple[bytes, bytes]:
    agreed = ephemeral.agree(parse_id(remote_ephemeral_id))
    shared = keccak(agreed + keccak(responder + initiator))
    aes = keccak(agreed + shared)
    return aes, keccak(agreed + aes)


def _pack(body: bytes, recipient_id: bytes, entropy: Entropy) -> bytes:
    padded = body + bytes(_PADDING + entropy(1)[0] % _PADDING)
    prefix = (len(padded) + OVERHEAD).to_bytes(PREFIX_BYTES, "big")
    return prefix + seal(padded, recipient_id, prefix, entropy)


def _unpack(packet: bytes, key: NodeKey) -> list[rlp.Item]:
    prefix = packet[:PREFIX_BYTES]
    body = unseal(packet[PREFIX_BYTES:], key, prefix)
    is_list, _, stop = rlp.payload_span(body, 0, len(body))
    if not is_list:
        raise DecodeError("rlp_not_a_list", "expected the handshake's fields, found a string")
    return rlp.decode_list(body[:stop])


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")
