"""What a block asks of the consensus layer (EIP-7685), and the contracts the protocol itself calls.

Sources: EIP-4788 and 2935 (roots and hashes), 6110 (deposits), 7002 (withdrawals), 7251 (consolidations),
8282 (builders' deposits and exits).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import Log
from mev_dagster.errors import InvalidBlock
from mev_dagster.hexadecimal import to_hex

SYSTEM_ADDRESS = bytes.fromhex("fffffffffffffffffffffffffffffffffffffffe")

BEACON_ROOTS = bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02")
HISTORY = bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935")
WITHDRAWAL_REQUESTS = bytes.fromhex("00000961ef480eb55e80d19ad83579a64c007002")
CONSOLIDATION_REQUESTS = bytes.fromhex("0000bbddc7ce488642fb579f8b00f3a590007251")
BUILDER_DEPOSITS = bytes.fromhex("0000bff46984e3725691fa540a8c7589300d8282")
BUILDER_EXITS = bytes.fromhex("000064d678505ad48f8ccb093bc65613800e8282")

# The fork a contract is asked from, the type of what it answers, and where it is.
_ASKED = (
    (Fork.PRAGUE, 1, WITHDRAWAL_REQUESTS),
    (Fork.PRAGUE, 2, CONSOLIDATION_REQUESTS),
    (Fork.AMSTERDAM, 3, BUILDER_DEPOSITS),
    (Fork.AMSTERDAM, 4, BUILDER_EXITS),
)

_DEPOSIT_TOPIC = bytes.fromhex("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5")
_DEPOSIT_BYTES = 576
# What each word that is no data of the event must hold: five offsets, then each part's length before it.
_DEPOSIT_LAYOUT = (
    *((0, 160), (32, 256), (64, 320), (96, 384), (128, 512)),
    *((160, 48), (256, 32), (320, 8), (384, 96), (512, 8)),
)


def contracts_asked(fork: Fork) -> tuple[tuple[int, bytes], ...]:
    """Return the contracts a block of this fork asks for requests at its end, with the type of each."""
    return tuple((kind, address) for since, kind, address in _ASKED if fork >= since)


def deposit_requests(logs: Iterable[Log], contract: bytes) -> bytes:
    """Return the deposits that transactions logged (EIP-6110); a malformed one is `InvalidBlock`."""
    return b"".join(
        _deposit_request(log.data)
        for log in logs
        if log.address == contract and log.topics[:1] == (_DEPOSIT_TOPIC,)
    )


def _deposit_request(data: bytes) -> bytes:
    """Cut public key, credentials, amount, signature and index out of the deposit event's ABI encoding."""
    if len(data) != _DEPOSIT_BYTES:
        raise InvalidBlock(f"deposit event of {len(data)} bytes, expected {_DEPOSIT_BYTES} (EIP-6110)")
    for place, expected in _DEPOSIT_LAYOUT:
        found = int.from_bytes(data[place : place + 32], "big")
        if found != expected:
            raise InvalidBlock(
                f"deposit event: byte {place} holds {found:#x}, expected {expected} there (EIP-6110)"
            )
    return data[192:240] + data[288:320] + data[352:360] + data[416:512] + data[544:552]


def answer_of(address: bytes, output: bytes | None, error: str) -> bytes:
    """Return what a contract answered; a call that failed, or found no contract, is `InvalidBlock`."""
    if output is None:
        raise InvalidBlock(f"system call to {to_hex(address)} failed: {error}")
    return output


def typed_requests(bodies: Iterable[tuple[int, bytes]]) -> tuple[bytes, ...]:
    """Put its type in front of each list of requests; empty ones are left out."""
    return tuple(bytes([kind]) + body for kind, body in bodies if body)


def requests_hash(requests: Sequence[bytes]) -> bytes:
    """Return what a header commits to of its block's requests (EIP-7685): SHA-256 over their SHA-256."""
    return sha256(b"".join(sha256(request).digest() for request in requests)).digest()
