"""Fuzzers: valid bytes, damaged. Each case is a function of its number, so a failure names its seed.

python tests/devp2p/devp2p_fuzz.py TARGET FIRST COUNT
"""

import random
import sys
from collections.abc import Callable
from functools import cache

from devp2p_sessions import ALICE, BOB

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p import snappy
from mev_dagster.devp2p.discv4 import (
    Endpoint,
    EnrRequest,
    FindNode,
    Neighbors,
    Ping,
    Pong,
    decode_packet,
    encode_packet,
)
from mev_dagster.devp2p.dnslist import hash_label, parse_entry
from mev_dagster.devp2p.ecies import seal, unseal
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.enr import decode_record, sign_record
from mev_dagster.devp2p.eth.codec import TABLE, decode_message, encode_message
from mev_dagster.devp2p.eth.messages import (
    BlockRangeUpdate,
    GetBlockHeaders,
    GetPooledTransactions,
    NewPooledTransactionHashes,
    PooledTransactions,
    Status,
)
from mev_dagster.devp2p.eth.pooled import PooledTransaction
from mev_dagster.devp2p.forkid import ForkId
from mev_dagster.devp2p.frames import FrameWriter
from mev_dagster.devp2p.handshake import Initiator, Recipient, Secrets
from mev_dagster.devp2p.hello import Capability, Hello, decode_disconnect, decode_hello
from mev_dagster.devp2p.rlpx import RlpxLink
from mev_dagster.errors import DecodeError, InputError

LIMIT = 1 << 20
H = b"\x11" * 32
BLOB = b"\x03" + rlp.encode([[b"fields"], [bytes(50)], [bytes(48)], [bytes(48)]])


def damage(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat or insert, a few times: what is near to valid reaches deepest."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(5):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << rng.randrange(8)
            case 1 if changed:
                changed[at % len(changed)] = rng.choice((0, 0x7F, 0x80, 0xB8, 0xBF, 0xC0, 0xF8, 0xFF))
            case 2:
                del changed[at : at + rng.randrange(1, 9)]
            case 3:
                changed[at:at] = changed[at : at + rng.randrange(1, 40)]
            case _:
                changed[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(changed)


@cache
def messages() -> tuple[tuple[int, int, bytes], ...]:
    fork = ForkId(b"\x07\xc9\x46\x2e", 9)
    listed = (PooledTransaction(b"", 0, 4, rlp.encode([1, 2])), PooledTransaction(b"", 2, 4, b"\x02\xc1\x01"))
    made = [
        (68, Status(68, 1, H, fork, H, total_difficulty=2**70)),
        (69, Status(69, 1, H, fork, H, earliest=1, latest=2)),
        (70, NewPooledTransactionHashes(b"\x00\x02\x03", (1, 300, 70_000), (H, H, H))),
        (72, NewPooledTransactionHashes(b"\x03", (500,), (H,), cells=bytes(16))),
        (69, GetPooledTransactions(5, (H, H))),
        (70, PooledTransactions(5, (*listed, PooledTransaction(b"", 3, len(BLOB), BLOB)))),
        (70, GetBlockHeaders(1, 2, 3)),
        (71, BlockRangeUpdate(1, 2, H)),
    ]
    return tuple((version, *encode_message(message, version)) for version, message in made)


def fuzz_messages(rng: random.Random) -> None:
    version, message_id, payload = rng.choice(messages())
    if rng.random() < 0.1:
        message_id = rng.choice(sorted(TABLE))
    decode_message(message_id, damage(payload, rng), version)


def fuzz_rlp(rng: random.Random) -> None:
    rlp.decode(damage(rng.choice(messages())[2], rng))


def fuzz_snappy(rng: random.Random) -> None:
    data = rng.choice(_COMPRESSED)
    inflated = snappy.decompress(damage(data, rng), LIMIT)
    assert len(inflated) <= LIMIT


_COMPRESSED = [snappy.compress(bytes(5000)), snappy.compress(bytes(range(256)) * 4), snappy.compress(b"\xc0")]


def fuzz_hello(rng: random.Random) -> None:
    decode_disconnect(rng.randbytes(rng.randrange(5)))
    decode_hello(damage(_HELLO, rng))


_HELLO = Hello("client/1", (Capability("eth", 68), Capability("snap", 1)), ALICE.id, 30303).encode()


def fuzz_record(rng: random.Random) -> None:
    decode_record(damage(_record(), rng))


@cache
def _record() -> bytes:
    return sign_record(ALICE, 5, {b"ip": bytes(4), b"tcp": 30303, b"eth": [[bytes(4), 0]]}).raw


def fuzz_discv4(rng: random.Random) -> None:
    """Damage what is signed over, then sign it again: else nothing gets past the hash."""
    datagram = rng.choice(_datagrams())
    if rng.random() < 0.2:
        decode_packet(damage(datagram, rng))
        return
    body = damage(datagram[97:], rng)
    signed = (datagram[32:97] if rng.random() < 0.9 else ALICE.sign(keccak(body))) + body
    decode_packet(keccak(signed) + signed)


@cache
def _datagrams() -> tuple[bytes, ...]:
    end = Endpoint("10.0.0.1", 1, 2)
    node = Enode(BOB.id, "1.2.3.4", 5, 6)
    packets = (Ping(end, end, 9, 1), Pong(end, H, 9, 1), FindNode(BOB.id, 9), Neighbors((node, node), 9))
    return tuple(encode_packet(packet, ALICE)[0] for packet in (*packets, EnrRequest(9)))


def fuzz_handshake(rng: random.Random) -> None:
    auth = damage(_auth(), rng)
    link = RlpxLink(BOB, None)
    link.receive(auth)
    link.shake_hands()


def fuzz_handshake_fields(rng: random.Random) -> None:
    """What a caller who knows our key can put inside the seal."""
    auth = _auth()
    body = damage(unseal(auth[2:], BOB, auth[:2]), rng)
    prefix = (len(body) + 113).to_bytes(2, "big")
    Recipient(BOB, rng.randbytes).answer(prefix + seal(body, BOB.id, prefix, rng.randbytes))


@cache
def _auth() -> bytes:
    return Initiator(ALICE, BOB.id, random.Random(1).randbytes).auth


def fuzz_frames(rng: random.Random) -> None:
    """An established link gets damaged frames, in pieces."""
    ours, theirs = _secrets()
    writer, link = FrameWriter(theirs), RlpxLink(BOB, None)
    link._establish(ours)
    link.frame_limit = LIMIT
    data = b"".join(writer.frame(b"\x18" + rng.choice(messages())[2]) for _ in range(3))
    data = damage(data, rng)
    half = rng.randrange(len(data) + 1)
    for part in (data[:half], data[half:]):
        link.receive(part)
        while link.next_message() is not None:
            pass


@cache
def _secrets() -> tuple[Secrets, Secrets]:
    initiator = Initiator(ALICE, BOB.id, random.Random(1).randbytes)
    ack, ours = Recipient(BOB, random.Random(2).randbytes).answer(initiator.auth)
    return ours, initiator.finish(ack)


def fuzz_trees(rng: random.Random) -> None:
    text = rng.choice(
        ("enrtree-branch:JWXYDBPXYWG6FX3GMDIBFA6CJ4,C7HRFPF3BLGF3YR4DY5KX3SMBE", "enr:-IS4QHCY")
    )
    damaged = damage(text.encode(), rng).decode("latin-1")
    parse_entry(damaged, hash_label(damaged))


TARGETS: dict[str, Callable[[random.Random], None]] = {
    name.removeprefix("fuzz_"): function
    for name, function in list(globals().items())
    if name.startswith("fuzz_")
}


def run(target: str, first: int, count: int) -> int:
    """Run cases; return how many were refused. Anything but a typed error is raised with its number."""
    refused = 0
    for number in range(first, first + count):
        try:
            TARGETS[target](random.Random(number))
        except (DecodeError, InputError):
            refused += 1
        except BaseException as error:
            error.add_note(f"fuzz target {target}, case {number}")
            raise
    return refused


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), "refused")
