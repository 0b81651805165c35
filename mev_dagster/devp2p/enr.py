"""Ethereum Node Records (EIP-778): signed, sorted key-value records, identity scheme v4."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise

from coincurve import PublicKey

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.forkid import ForkId, read_fork_id
from mev_dagster.devp2p.keys import NodeKey, id_of, recover_id
from mev_dagster.errors import DecodeError

MAX_RECORD_BYTES = 300
TEXT_PREFIX = "enr:"


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A verified record. `node_id` is the 64-byte key; values are RLP items under their keys."""

    seq: int
    node_id: bytes
    pairs: Mapping[bytes, rlp.Item]
    raw: bytes

    @property
    def text(self) -> str:
        """The record as people pass it around."""
        return TEXT_PREFIX + urlsafe_b64encode(self.raw).rstrip(b"=").decode()

    @property
    def address(self) -> bytes:
        """The 32-byte address of the v4 identity scheme: where the node lies in the hash space."""
        return keccak(self.node_id)

    @property
    def fork_id(self) -> ForkId | None:
        """The `eth` entry: which chain the node is on, without dialling it."""
        entry = self.pairs.get(b"eth")
        if not isinstance(entry, list) or not entry:
            return None
        try:
            return read_fork_id(entry[0])
        except DecodeError:
            return None

    @property
    def enode(self) -> Enode | None:
        """Where the node takes connections; None when the record does not say."""
        for ip_key, tcp_key, udp_key in ((b"ip", b"tcp", b"udp"), (b"ip6", b"tcp6", b"udp6")):
            ip, tcp = self.pairs.get(ip_key), self.pairs.get(tcp_key, self.pairs.get(b"tcp"))
            udp = self.pairs.get(udp_key, self.pairs.get(b"udp", tcp))
            if not isinstance(ip, bytes) or not isinstance(tcp, bytes) or not isinstance(udp, bytes):
                continue
            if len(ip) in (4, 16) and 0 < len(tcp) <= 2 and len(udp) <= 2:
                ports = int.from_bytes(tcp, "big"), int.from_bytes(udp, "big")
                return Enode(self.node_id, str(ip_address(ip)), *ports)
        return None


def decode_record(raw: bytes) -> NodeRecord:
    """Decode and verify a record."""
    if len(raw) > MAX_RECORD_BYTES:
        raise DecodeError("record_too_large", f"{len(raw)} bytes, at most {MAX_RECORD_BYTES}")
    fields = rlp.decode_list(raw)
    if len(fields) < 4 or len(fields) % 2:
        raise DecodeError("bad_record", f"{len(fields)} fields, expected signature, seq and pairs")
    keys = [rlp.text(key, name="record key") for key in fields[2::2]]
    if any(one >= other for one, other in pairwise(keys)):
        raise DecodeError("bad_record", "keys are not sorted and unique")
    pairs = dict(zip(keys, fields[3::2], strict=True))
    if pairs.get(b"id") != b"v4":
        raise DecodeError("unknown_identity", "expected the identity scheme v4")
    signature = rlp.fixed(fields[0], 64, name="record signature")
    compressed = rlp.fixed(pairs.get(b"secp256k1", b""), 33, name="record key secp256k1")
    try:
        node_id = id_of(PublicKey(compressed))
    except ValueError:
        raise DecodeError("invalid_point", "the record's key is not a point of secp256k1") from None
    digest = keccak(rlp.encode(fields[1:]))
    if not any(_signed_by(node_id, digest, signature, parity) for parity in (0, 1)):
        raise DecodeError("bad_signature", "the record is not signed by its own key")
    return NodeRecord(rlp.integer(fields[1], bits=64, name="record seq"), node_id, pairs, raw)


def parse_record(text: str) -> NodeRecord:
    """Parse `enr:` and base64url without padding."""
    body = text.strip().removeprefix(TEXT_PREFIX)
    if len(body) > 2 * MAX_RECORD_BYTES:
        raise DecodeError("record_too_large", f"{len(body)} characters")
    try:
        raw = urlsafe_b64decode(body.encode("ascii") + b"=" * (-len(body) % 4))
    except (Base64Error, ValueError) as error:
        raise DecodeError("bad_base64", str(error)) from None
    return decode_record(raw)


def sign_record(key: NodeKey, seq: int, pairs: Mapping[bytes, rlp.Encodable]) -> NodeRecord:
    """Make and sign a record of one's own."""
    compressed = PublicKey(b"\x04" + key.id).format(compressed=True)
    entries = {**pairs, b"id": b"v4", b"secp256k1": compressed}
    content: list[rlp.Encodable] = [seq]
    for name in sorted(entries):
        content += [name, entries[name]]
    signature = key.sign(keccak(rlp.encode(content)))[:64]
    return decode_record(rlp.encode([signature, *content]))


def _signed_by(node_id: bytes, digest: bytes, signature: bytes, parity: int) -> bool:
    try:
        return recover_id(digest, signature + bytes((parity,))) == node_id
    except DecodeError:
        return False
