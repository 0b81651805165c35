"""What the protocol itself calls and reads in a block: addresses and requests, the same for every engine."""

from collections.abc import Iterable

from mev_dagster.evm.types import TxResult

SYSTEM_ADDRESS = bytes.fromhex("fffffffffffffffffffffffffffffffffffffffe")
SYSTEM_GAS = 30_000_000

BEACON_ROOTS = bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02")  # EIP-4788
HISTORY = bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935")  # EIP-2935
WITHDRAWAL_REQUESTS = bytes.fromhex("00000961ef480eb55e80d19ad83579a64c007002")  # EIP-7002
CONSOLIDATION_REQUESTS = bytes.fromhex("0000bbddc7ce488642fb579f8b00f3a590007251")  # EIP-7251
_DEPOSIT_CONTRACT = bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa")  # EIP-6110
_DEPOSIT_TOPIC = bytes.fromhex("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5")


def typed_requests(*bodies: bytes) -> tuple[bytes, ...]:
    """Put its type in front of each list of requests; empty ones are left out."""
    return tuple(bytes([kind]) + body for kind, body in enumerate(bodies) if body)


def deposit_requests(results: Iterable[TxResult]) -> bytes:
    """Return the deposits that the block's transactions logged (EIP-6110)."""
    return b"".join(
        _deposit_request(log.data)
        for result in results
        for log in result.logs
        if log.address == _DEPOSIT_CONTRACT and log.topics[:1] == (_DEPOSIT_TOPIC,)
    )


def _deposit_request(data: bytes) -> bytes:
    """Cut public key, credentials, amount, signature and index out of the deposit event's ABI encoding."""
    return data[192:240] + data[288:320] + data[352:360] + data[416:512] + data[544:552]
