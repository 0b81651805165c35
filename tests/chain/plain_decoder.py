"""A second decoder, written from the EIPs on the `rlp` and `eth_keys` packages, for the first to agree with.

It shares no code with mev_dagster. It is slow and says only yes (with what it found) or no.
"""

import rlp
from eth_keys import keys
from eth_keys.exceptions import BadSignature, ValidationError
from eth_utils import keccak
from rlp.exceptions import RLPException
from rlp.sedes import big_endian_int

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Refused(Exception):
    """Not a transaction."""


def need(condition):
    if not condition:
        raise Refused


def integer(item, size):
    need(isinstance(item, bytes))
    need(len(item) <= size)
    return big_endian_int.deserialize(item)


def string(item, *sizes):
    need(isinstance(item, bytes))
    need(not sizes or len(item) in sizes)
    return item


def sequence(item):
    need(not isinstance(item, bytes))
    return item


def signer(digest, v, r, s):
    try:
        signature = keys.Signature(vrs=(v, r, s))
        return signature.recover_public_key_from_msg_hash(digest).to_canonical_address()
    except (BadSignature, ValidationError):
        return None


def access_list(item):
    entries = []
    for entry in sequence(item):
        need(len(sequence(entry)) == 2)
        address, stored = entry
        entries.append((string(address, 20), tuple(string(key, 32) for key in sequence(stored))))
    return tuple(entries)


def authorization(item):
    need(len(sequence(item)) == 6)
    chain_id, address, nonce, parity, r, s = item
    fields = (
        integer(chain_id, 32),
        string(address, 20),
        integer(nonce, 8),
        integer(parity, 1),
        integer(r, 32),
        integer(s, 32),
    )
    valid = fields[3] < 2 and 0 < fields[4] < N and 0 < fields[5] <= N // 2
    digest = keccak(b"\x05" + rlp.encode(list(fields[:3])))
    return (*fields, signer(digest, *fields[3:]) if valid else None)


def decode(raw):
    """Return a dict of fields, or raise Refused."""
    try:
        return _legacy(raw) if raw[:1] >= b"\xc0" else _typed(raw)
    except RLPException:
        raise Refused from None


def _legacy(raw):
    fields = rlp.decode(raw, strict=True)
    need(len(sequence(fields)) == 9)
    v, r, s = integer(fields[6], 9), integer(fields[7], 32), integer(fields[8], 32)
    need(v in (27, 28) or v >= 35)
    chain_id = None if v < 35 else (v - 35) // 2
    need(chain_id is None or chain_id < 2**64)
    signed = fields[:6] if chain_id is None else [*fields[:6], chain_id, 0, 0]
    found = {
        "type": 0,
        "chain_id": chain_id,
        "nonce": integer(fields[0], 8),
        "gas_price": integer(fields[1], 32),
    }
    parity = (v - 27) if v < 35 else (v - 35) % 2
    return _finish(raw, found, fields[2:6], digest=keccak(rlp.encode(signed)), v=v, parity=parity, r=r, s=s)


def _typed(raw):
    need(len(raw) > 1)
    kind = raw[0]
    need(1 <= kind <= 4)
    fields = rlp.decode(raw[1:], strict=True)
    need(len(sequence(fields)) == {1: 11, 2: 12, 3: 14, 4: 13}[kind])
    found = {"type": kind, "chain_id": integer(fields[0], 8), "nonce": integer(fields[1], 8)}
    call = 3
    if kind == 1:
        found["gas_price"] = integer(fields[2], 32)
    else:
        found["tip"], found["fee"] = integer(fields[2], 32), integer(fields[3], 32)
        call = 4
    found["access_list"] = access_list(fields[call + 4])
    if kind == 3:
        found["blob_fee"] = integer(fields[9], 32)
        found["blobs"] = tuple(string(item, 32) for item in sequence(fields[10]))
        need(found["blobs"])
    if kind == 4:
        found["authorizations"] = tuple(authorization(item) for item in sequence(fields[9]))
        need(found["authorizations"])
    parity, r, s = integer(fields[-3], 1), integer(fields[-2], 32), integer(fields[-1], 32)
    need(parity < 2)
    digest = keccak(bytes([kind]) + rlp.encode(fields[:-3]))
    return _finish(raw, found, fields[call : call + 4], digest=digest, v=parity, parity=parity, r=r, s=s)


def _finish(raw, found, call, *, digest, v, parity, r, s):
    found["gas"] = integer(call[0], 8)
    found["to"] = string(call[1], 20) if found["type"] > 2 else string(call[1], 0, 20)
    found["value"] = integer(call[2], 32)
    found["data"] = string(call[3])
    need(found["nonce"] < 2**64 - 1)
    need(0 < r < N)
    need(0 < s <= N // 2)
    sender = signer(digest, parity, r, s)
    need(sender is not None)
    return {**found, "v": v, "r": r, "s": s, "hash": keccak(raw), "sender": sender}
