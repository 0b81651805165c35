"""Self-signed transactions at mainnet's mix of types and sizes, the same every time for the same seed.

The mix is that of mainnet in early 2026: types 0: 17 %, 1: 2 %, 2: 75 %, 3: 3 %, 4: 3 %; about half of the
transactions carry no or one short call, a few carry kilobytes. Every signature is real.
"""

import random
from collections.abc import Iterator
from functools import cache

from coincurve import PrivateKey

from mev_dagster.chain.encoding import UnsignedTransaction
from mev_dagster.chain.envelope import ACCESS_LIST, BLOB, DYNAMIC_FEE, LEGACY, SET_CODE
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import address_of, sign, sign_authorization
from mev_dagster.chain.transactions import AccessListEntry
from mev_dagster.units import GWEI

TYPE_SHARES = {LEGACY: 17, ACCESS_LIST: 2, DYNAMIC_FEE: 75, BLOB: 3, SET_CODE: 3}
"""Percent of each type."""

SENDERS = 2_000

# (share per mille, fewest and most bytes) of the input: transfers first, then calls, routes and bulk posts
_INPUT_SIZES = (
    (300, 0, 0),
    (300, 68, 68),
    (240, 132, 260),
    (122, 292, 800),
    (31, 900, 2_500),
    (7, 3_000, 20_000),
)
# Real calldata is largely zero bytes, which also matters for what it costs to store.
_WORD_SHAPES = ("address", "amount", "noise")


def signing_key(index: int) -> bytes:
    """Return the private key of a benchmark sender; worth nothing anywhere."""
    return keccak(b"mev_dagster benchmark key " + index.to_bytes(4, "big"))


@cache
def _key(index: int) -> PrivateKey:
    return PrivateKey(signing_key(index))


@cache
def _contracts(senders: int) -> list[bytes]:
    return [address_of(signing_key(senders + index)) for index in range(500)]


def generate(
    count: int, *, seed: int | str = 1, chain_id: int = 1, senders: int = SENDERS, first_nonce: int = 0
) -> Iterator[bytes]:
    """Yield `count` signed transactions in consensus form; each sender counts on from `first_nonce`."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    contracts = _contracts(senders)
    nonces = [first_nonce] * senders
    kinds, shares = list(TYPE_SHARES), list(TYPE_SHARES.values())
    for _ in range(count):
        sender = chance.randrange(senders)
        unsigned = _unsigned(chance, chance.choices(kinds, shares)[0], nonces[sender], contracts, chain_id)
        nonces[sender] += 1
        yield sign(_key(sender), unsigned)


def _unsigned(
    chance: random.Random, kind: int, nonce: int, contracts: list[bytes], chain_id: int
) -> UnsignedTransaction:
    data = _input(chance)
    creates = kind in (LEGACY, DYNAMIC_FEE) and len(data) > 900 and chance.random() < 0.3
    dynamic = kind >= DYNAMIC_FEE
    tip = chance.randrange(1, 5 * GWEI)
    access_list = []
    if kind == ACCESS_LIST or (dynamic and chance.random() < 0.05):
        access_list = [
            AccessListEntry(
                chance.choice(contracts),
                tuple(chance.randbytes(32) for _ in range(chance.randrange(4))),
            )
            for _ in range(chance.randrange(1, 4))
        ]
    authorizations = []
    if kind == SET_CODE:
        for _ in range(chance.choice((1, 1, 1, 2))):
            key = signing_key(chance.randrange(SENDERS))
            delegate = chance.choice(contracts)
            authorizations.append(
                sign_authorization(key, chain_id=chain_id, address=delegate, nonce=chance.randrange(50))
            )
    return UnsignedTransaction(
        type=kind,
        chain_id=None if kind == LEGACY and chance.random() < 0.02 else chain_id,
        nonce=nonce,
        to=None if creates else chance.choice(contracts),
        value_wei=chance.randrange(10**19) if chance.random() < 0.5 else 0,
        data=data,
        gas_limit=21_000 + 16 * len(data) + chance.randrange(400_000),
        gas_price_wei=None if dynamic else tip + chance.randrange(50 * GWEI),
        max_fee_per_gas_wei=tip + chance.randrange(80 * GWEI) if dynamic else None,
        max_priority_fee_per_gas_wei=tip if dynamic else None,
        max_fee_per_blob_gas_wei=chance.randrange(1, 10 * GWEI) if kind == BLOB else None,
        access_list=access_list,
        blob_versioned_hashes=[b"\x01" + chance.randbytes(31) for _ in range(chance.randrange(1, 7))]
        if kind == BLOB
        else (),
        authorization_list=authorizations,
    )


def _input(chance: random.Random) -> bytes:
    _, fewest, most = chance.choices(_INPUT_SIZES, [share for share, _, _ in _INPUT_SIZES])[0]
    size = chance.randint(fewest, most)
    if size == 0:
        return b""
    words = [chance.randbytes(4)]
    for _ in range((size - 4) // 32 + 1):
        shape = chance.choice(_WORD_SHAPES)
        if shape == "address":
            words.append(bytes(12) + chance.randbytes(20))
        elif shape == "amount":
            words.append(chance.randrange(10**20).to_bytes(32, "big"))
        else:
            words.append(chance.randbytes(32))
    return b"".join(words)[:size]
