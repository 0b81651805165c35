"""Made-up blocks whose every transaction probes something: seeded, the same each time, from Cancun on.

A block has a contract and a sender of its own for each transaction, so that each is a case by itself; what
they share (precompiles, one another's contracts, the coinbase) is what blocks share.
"""

import random
from dataclasses import dataclass

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import BlobParameters, Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.requests import (
    BEACON_ROOTS,
    BUILDER_DEPOSITS,
    BUILDER_EXITS,
    CONSOLIDATION_REQUESTS,
    HISTORY,
    WITHDRAWAL_REQUESTS,
)
from mev_dagster.chain.signing import address_of, sign_authorization, sign_transaction
from mev_dagster.chain.transactions import AccessListEntry, Transaction
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv

ETHER, GWEI = 10**18, 10**9
KEYS = [keccak(b"t8n sender %d" % index) for index in range(120)]
SENDERS = [address_of(key) for key in KEYS]
COINBASE = b"\xcb" * 20
STORES_INPUT = bytes.fromhex("5f355f5500")  # sstore(0, calldataload(0))


@dataclass(frozen=True)
class MadeBlock:
    """A block nobody mined, with the state it starts from."""

    state: Prestate
    env: BlockEnv
    txs: tuple[Transaction, ...]
    withdrawals: tuple[Withdrawal, ...]


def contract(index: int) -> bytes:
    return b"\xcc" * 18 + index.to_bytes(2, "big")


def push(value: int) -> bytes:
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([0x5F + size]) + value.to_bytes(size, "big")


NUMBERS = (0, 1, 2, 31, 32, 33, 255, 256, 1_000, 2**16, 2**63, 2**64, 2**160, 2**255, 2**256 - 1)
# Everything that takes from the stack and gives to it, CLZ (EIP-7939) and SLOTNUM (EIP-7843) among them.
PLAIN = [
    *(*range(0x01, 0x0C), *range(0x10, 0x1F), 0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3A, 0x3D),
    *(*range(0x41, 0x4C), 0x50, 0x58, 0x59, 0x5A, 0x5B),
]
MEMORY = [0x20, 0x37, 0x39, 0x51, 0x52, 0x53, 0x5E]
INIT_CODES = (
    b"\x5f\x5f\xf3",  # nothing
    b"\x60\x03\x5f\xf3",  # three zeros
    b"\x5f\x5f\xfd",
    b"\xfe",
    b"\x30\xff",  # selfdestruct to itself
    b"\x60\xef\x5f\x53\x60\x01\x5f\xf3",  # EIP-3541
    b"\x60\x01\x60\x01\x55\x5f\x5f\xf3",  # sstore, then nothing
)
STATE = [0x31, 0x35, 0x3B, 0x3C, 0x3F, 0x40, 0x47, 0x54, 0x55, 0x55, 0x5C, 0x5D]
ENDS = [0x00, 0x00, 0xF3, 0xF3, 0xFD, 0xFE, 0xFF]
DUPN_SWAPN_EXCHANGE = (0xE6, 0xE7, 0xE8)  # EIP-8024


class Programs:
    """Writes programs with a seeded generator."""

    def __init__(self, rng: random.Random, peers: list[bytes]) -> None:
        self.rng = rng
        self.peers = peers

    def number(self) -> bytes:
        rng = self.rng
        return push(
            rng.choice(NUMBERS) if rng.random() < 0.4 else rng.getrandbits(rng.choice((4, 8, 8, 16, 256)))
        )

    def small(self) -> bytes:
        return push(self.rng.choice((0, 0, 1, 5, 31, 32, 33, 64, 100, 320)))

    def account(self) -> bytes:
        rng = self.rng
        kind = rng.random()
        if kind < 0.5:
            return push(int.from_bytes(rng.choice(self.peers), "big"))
        if kind < 0.75:
            return push(rng.choice((*range(1, 0x12), 0x100)))
        if kind < 0.9:
            return push(int.from_bytes(rng.randbytes(20), "big"))
        return push(int.from_bytes(rng.choice((COINBASE, HISTORY, BEACON_ROOTS, rng.choice(SENDERS))), "big"))

    def call(self) -> bytes:
        rng = self.rng
        opcode = rng.choice((0xF1, 0xF1, 0xF2, 0xF4, 0xFA))
        value = self.small() if opcode in (0xF1, 0xF2) else b""
        gas = push(rng.choice((0, 100, 2_300, 10_000, 50_000, 10**7)))
        where = self.small() + self.small() + self.small() + self.small()
        return where + value + self.account() + gas + bytes([opcode])

    def create(self) -> bytes:
        rng = self.rng
        init = rng.choice(INIT_CODES)
        code = push(int.from_bytes(init.ljust(32, b"\0"), "big")) + b"\x5f\x52"
        code += (push(rng.randrange(3)) if (two := rng.random() < 0.5) else b"") + push(len(init)) + b"\x5f"
        code += push(rng.choice((0, 0, 1, 10))) + bytes([0xF5 if two else 0xF0])
        return code + (
            b"" if rng.random() < 0.4 else b"\x5f\x5f\x5f\x5f\x5f\x85" + push(60_000) + b"\xf1\x50"
        )

    def log(self) -> bytes:
        count = self.rng.randrange(5)
        return self.number() * count + self.small() + self.small() + bytes([0xA0 + count])

    def piece(self) -> bytes:
        rng = self.rng
        kind = rng.random()
        if kind < 0.30:
            return self.number() + self.number() + self.number() + bytes([rng.choice(PLAIN)])
        if kind < 0.42:
            return self.small() + self.small() + self.small() + bytes([rng.choice(MEMORY)])
        if kind < 0.66:
            opcode = rng.choice(STATE)
            key = self.account() if opcode in (0x31, 0x3B, 0x3F) else self.small()
            if opcode == 0x3C:
                key = self.small() + self.small() + self.small() + self.account()
            return self.number() + key + bytes([opcode])
        if kind < 0.82:
            return self.call()
        if kind < 0.88:
            return self.create()
        if kind < 0.93:
            return self.log()
        if kind < 0.96:
            return self.number() * rng.randrange(2, 20) + bytes(
                [rng.choice(DUPN_SWAPN_EXCHANGE), rng.randrange(256)]
            )
        if kind < 0.99:
            return self.small() + bytes([rng.choice((0x80, 0x80, 0x90, 0x3E, 0x56, 0x57))])
        return bytes([rng.randrange(256)])

    def code(self) -> bytes:
        rng = self.rng
        body = b"".join(self.piece() for _ in range(rng.randrange(1, 9)))
        end = rng.choice(ENDS)
        if end in (0xF3, 0xFD):
            return body + self.small() + self.small() + bytes([end])
        return body + (self.account() if end == 0xFF else b"") + bytes([end])


def transaction(rng: random.Random, index: int, fork: Fork, program: bytes) -> Transaction:
    kind = rng.choice((0, 1, 2, 2, 2, 3, 4)) if fork >= Fork.PRAGUE else rng.choice((0, 1, 2, 2, 3))
    creates = kind < 3 and rng.random() < 0.12
    choices = [contract(index)] * 7 + [
        SENDERS[index],
        rng.randbytes(20),
        (rng.randrange(1, 18)).to_bytes(20, "big"),
    ]
    data = program if creates else rng.randbytes(rng.choice((0, 0, 4, 32, 100, 600)))
    if rng.random() < 0.3:
        data = data[:8] + bytes(len(data[8:]))
    fields: dict = {
        "chain_id": 1,
        "nonce": 0,
        "to": None if creates else rng.choice(choices),
        "data": data,
        "value_wei": rng.choice((0, 0, 1, 7, ETHER)),
        "gas_limit": rng.choice((21_000, 60_000, 150_000, 400_000, 400_000, 800_000, 800_000, 2_000_000)),
        "type": kind,
    }
    if kind < 2:
        fields["gas_price_wei"] = rng.choice((10, 11, 50)) * GWEI
    else:
        fields |= {
            "max_fee_per_gas_wei": rng.choice((9, *(10, 12, 40) * 6)) * GWEI,
            "max_priority_fee_per_gas_wei": rng.choice((0, 1, 3)) * GWEI,
        }
    if kind > 0 and rng.random() < 0.5:
        keys = tuple(rng.choice((0, 1, 5)).to_bytes(32, "big") for _ in range(rng.randrange(3)))
        fields["access_list"] = [
            AccessListEntry(contract(rng.choice((index, 0))), keys) for _ in range(rng.randrange(1, 3))
        ]
    if kind == 3:
        fields |= {
            "blob_versioned_hashes": [b"\x01" + bytes(31)] * rng.choice((1, 1, 2)),
            "max_fee_per_blob_gas_wei": GWEI,
        }
    if kind == 4:
        fields["authorization_list"] = [
            sign_authorization(
                KEYS[rng.choice((index, 110, 111, 112))],
                chain_id=rng.choice((0, 1, 1, 1, 5)),
                address=rng.choice((contract(index), contract(0), bytes(20), SENDERS[3])),
                nonce=rng.choice((0, 0, 1, 2)),
            )
            for _ in range(rng.randrange(1, 4))
        ]  # fmt: skip
    return sign_transaction(KEYS[index], **fields)


def made_block(seed: int, fork: Fork, size: int, *, blobs: BlobParameters | None = None) -> MadeBlock:
    """Return the block of a seed."""
    rng = random.Random(f"{seed} {fork.name}")
    programs = Programs(rng, [contract(index) for index in range(size)])
    accounts = {sender: AccountOverride(balance_wei=10 * ETHER) for sender in SENDERS}
    txs = []
    for index in range(size):
        code = programs.code()
        storage = {slot: rng.choice((1, 2**200)) for slot in (0, 1, 5) if rng.random() < 0.5}
        accounts[contract(index)] = AccountOverride(
            code=code, nonce=1, storage=storage, balance_wei=rng.choice((0, 0, 5, ETHER))
        )
        txs.append(transaction(rng, index, fork, programs.code()))
    answers = {
        address: push(rng.choice((0, 0, 76, 152))) + b"\x5f\xf3"
        for address in (WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS, BUILDER_DEPOSITS, BUILDER_EXITS)
    }
    for address, code in {BEACON_ROOTS: STORES_INPUT, HISTORY: STORES_INPUT, **answers}.items():
        accounts[address] = AccountOverride(code=code, nonce=1)
    env = BlockEnv(
        chain_id=1, fork=fork, number=1_000, timestamp=1_700_000_000 + seed, coinbase=COINBASE,
        gas_limit=60_000_000,
        base_fee_per_gas_wei=10 * GWEI, prev_randao=keccak(b"%d" % seed), parent_hash=keccak(b"parent"),
        excess_blob_gas=rng.choice((0, 10**6, 4 * 10**7)), parent_beacon_block_root=keccak(b"beacon"),
        blobs=blobs, slot_number=seed + 7 if fork >= Fork.AMSTERDAM else None,
    )  # fmt: skip
    paid = [contract(1), SENDERS[5], rng.randbytes(20), COINBASE]
    withdrawals = tuple(
        Withdrawal(n, n, address, rng.choice((0, 1, 32 * 10**9))) for n, address in enumerate(paid)
    )
    state = Prestate({}, {}, {999: keccak(b"parent")}, complete=True).with_overrides(accounts)
    return MadeBlock(state, env, tuple(txs), withdrawals)
