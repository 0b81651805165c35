"""One small program for each rule that a fork has brought: instructions, prices, kinds of transactions.

Every probe is run on every fork, also those before the rule's own: there it has to be absent.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from evm_worlds import BOB, COINBASE, CONTRACT, ETHER, GWEI, KEYS, at, push, store, transaction, world

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import sign_authorization
from mev_dagster.chain.transactions import AccessListEntry, Transaction
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv

STOP, GAS, SLOAD = b"\x00", b"\x5a", b"\x54"
NOBODY = bytes.fromhex("99" * 20)
OTHER = bytes.fromhex("dd" * 20)
EXCESS_BLOB_GAS = 40 * 2**20
WORD = 32


def address(of: bytes) -> bytes:
    """Return the instruction that pushes an address."""
    return push(int.from_bytes(of, "big"))


def call(to: bytes, *, op: int = 0xF1, value: int = 0, gas: bytes = push(100_000), size: int = 0) -> bytes:
    """Return code that calls with the first `size` bytes of memory; the answer goes to memory's start."""
    paid = push(value) if op in {0xF1, 0xF2} else b""
    return push(64) + push(0) + push(size) + push(0) + paid + to + gas + bytes([op])


def spent(code: bytes) -> bytes:
    """Return code that leaves the gas that `code`, which leaves one item, takes."""
    return GAS + code + b"\x50" + GAS + b"\x90\x03"


def precompile(number: int, data: bytes) -> bytes:
    """Return code that hands the input to a precompile and keeps success, price, output and its size."""
    copied = b"\x36" + push(0) * 2 + b"\x37"
    asked = call(push(number), gas=push(2_000_000), size=len(data)) + push(0) + b"\x55"
    return (
        copied
        + store(1, GAS + asked + GAS + b"\x90\x03")
        + store(2, push(0) + b"\x51")
        + store(3, b"\x3d")
        + STOP
    )


@dataclass(frozen=True)
class Probe:
    """What is asked: the code of CONTRACT, or the transactions where the rule is about those."""

    name: str
    code: bytes = STOP
    data: bytes = b""
    gas_limit: int = 3_000_000
    sent: Callable[[Fork], list[Transaction]] | None = None
    other_code: bytes = STOP

    def environment(self, fork: Fork) -> BlockEnv:
        """Return a block of the fork in which nothing that can be read is zero."""
        env = at(fork)
        return replace(
            env,
            difficulty=131_072 if fork < Fork.PARIS else 0,
            prev_randao=b"\x5a" * WORD if fork >= Fork.PARIS else bytes(WORD),
            excess_blob_gas=EXCESS_BLOB_GAS if fork >= Fork.CANCUN else None,
        )

    def state(self) -> Prestate:
        """Return the state before: CONTRACT and OTHER with code and money, NOBODY not there."""
        return world(self.code, storage={7: 7, 8: 8}, balance_wei=ETHER).with_overrides(
            {OTHER: AccountOverride(code=self.other_code, nonce=1, balance_wei=5)}
        )

    def transactions(self, fork: Fork) -> list[Transaction]:
        """Return what is sent on this fork; nothing where it cannot even be written down."""
        if self.sent is not None:
            return self.sent(fork)
        return [transaction(0, data=self.data, gas_limit=self.gas_limit, value_wei=3, **kind_of(fork))]


def kind_of(fork: Fork) -> dict:
    """Return the newest plain kind of transaction that a fork has."""
    if fork >= Fork.LONDON:
        return {}
    return {"type": 0, "chain_id": 31_337 if fork >= Fork.SPURIOUS_DRAGON else None}


def _sends(since: Fork, *several: dict) -> Callable[[Fork], list[Transaction]]:
    """Send these from the fork before `since` on; before that no client could read them."""

    def transactions(fork: Fork) -> list[Transaction]:
        if fork < since:
            return []
        return [transaction(0, **({"gas_limit": 400_000} | kind_of(fork) | fields)) for fields in several]

    return transactions


def _blob(fork: Fork) -> list[Transaction]:
    if fork < Fork.CANCUN:
        return []
    hashed = [b"\x01" + bytes([index]) * 31 for index in range(3)]
    fields = {"type": 3, "blob_versioned_hashes": hashed, "gas_limit": 300_000}
    return [
        transaction(0, max_fee_per_blob_gas_wei=1_000 * GWEI, **fields),
        transaction(1, max_fee_per_blob_gas_wei=1, **fields),
    ]


def _delegations(fork: Fork) -> list[Transaction]:
    if fork < Fork.PRAGUE:
        return []
    stranger = keccak(b"an authority that the state has never seen")
    signed = [
        sign_authorization(stranger, chain_id=31_337, address=OTHER, nonce=0),
        sign_authorization(KEYS[1], chain_id=0, address=CONTRACT, nonce=0),
        sign_authorization(KEYS[2], chain_id=1, address=CONTRACT, nonce=0),
    ]
    fields = {"type": 4, "authorization_list": signed, "gas_limit": 400_000}
    return [transaction(0, to=BOB, **fields), transaction(3, to=BOB, value_wei=1)]


def _p256() -> bytes:
    key = ec.derive_private_key(11, ec.SECP256R1())
    digest = bytes(range(WORD))
    signature = key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True))
    public = key.public_key().public_numbers()
    numbers = (*utils.decode_dss_signature(signature), public.x, public.y)
    return digest + b"".join(number.to_bytes(WORD, "big") for number in numbers)


def _modexp(base: int, exponent: int, modulus: int) -> bytes:
    lengths = b"".join(size.to_bytes(WORD, "big") for size in (base, exponent, modulus))
    return lengths + b"\x03" * base + b"\xff" * exponent + b"\xfd" * modulus


CREATES = push(0x600160005360016000F3) + push(0) + b"\x52"  # memory ends in init code of one byte of code
REVERTS = push(0xAB) + push(0) + b"\x52" + push(WORD) + push(0) + b"\xfd"
SHIFTS = b"".join(
    store(slot, push(2**255 + 0xF0) + push(by) + bytes([op]))
    for slot, (op, by) in enumerate((op, by) for op in (0x1B, 0x1C, 0x1D) for by in (4, 300))
)
# 7 -> 0 -> 7 -> 9, then a slot that was empty and is again: prices and refunds of EIP-2200 and after.
NET_METERED = b"".join(store(slot, push(value)) for slot, value in ((7, 0), (7, 7), (7, 9), (5, 1), (5, 0)))
TRANSIENT = push(6) + push(1) + b"\x5d" + store(0, push(1) + b"\x5c") + STOP
MCOPY = push(0x1234) + push(0) + b"\x52" + push(40) + push(3) + push(9) + b"\x5e"
ANSWERED = b"\x3e" + store(0, push(0) + b"\x51") + STOP  # RETURNDATACOPY, and the first word is kept
IDENTITY = b"\x04".rjust(20, b"\x00")
DEEP = push(0) + SLOAD + push(1) + b"\x01" + push(0) + b"\x55" + call(address(CONTRACT), gas=GAS) + STOP

PROBES = [
    Probe("delegatecall", store(0, call(address(OTHER), op=0xF4)) + STOP, other_code=store(1, b"\x33")),
    Probe("callcode", store(0, call(address(OTHER), op=0xF2, value=1)) + STOP, other_code=store(1, b"\x34")),
    Probe("a 64th of the gas is kept", DEEP, gas_limit=200_000),
    Probe("a call to nobody", store(0, call(address(NOBODY), value=0)) + store(1, call(push(3)))),
    Probe("a paid call to nobody", store(0, call(address(NOBODY), value=1)) + STOP),
    Probe("price of exp", store(0, spent(push(2**40) + push(3) + b"\x0a")) + STOP),
    Probe("prices of looking at accounts", b"".join(
        store(slot, spent(address(who) + bytes([op])))
        for slot, (who, op) in enumerate((who, op) for op in (0x31, 0x3B) for who in (OTHER, OTHER, NOBODY))
    ) + STOP),
    Probe("price of sload", store(0, spent(push(7) + SLOAD)) + store(1, spent(push(7) + SLOAD)) + STOP),
    Probe("revert", store(0, call(address(OTHER))) + store(1, b"\x3d") + REVERTS, other_code=REVERTS),
    Probe("what was returned", call(address(OTHER)) + push(32) + push(0) * 2 + ANSWERED, other_code=REVERTS),
    Probe("reading past it", call(address(OTHER)) + push(33) + push(0) * 2 + ANSWERED, other_code=REVERTS),
    Probe("staticcall", store(0, call(address(OTHER), op=0xFA)) + STOP, other_code=store(1, push(1))),
    Probe("shifts", SHIFTS + STOP),
    Probe("code hashes", b"".join(
        store(slot, address(who) + b"\x3f") for slot, who in enumerate((OTHER, NOBODY, BOB, IDENTITY))
    ) + STOP),
    Probe("create", CREATES + store(0, push(10) + push(22) + push(1) + b"\xf0") + STOP),
    Probe("create2", CREATES + store(0, push(42) + push(10) + push(22) + push(1) + b"\xf5") + STOP),
    Probe("net gas metering", NET_METERED + STOP),
    Probe("no storage in the stipend", store(7, push(7)) + STOP, sent=_sends(
        Fork.FRONTIER, {"gas_limit": 23_306}, {"gas_limit": 23_307, "nonce": 1})),
    Probe("chain id", store(0, b"\x46") + STOP),
    Probe("own balance", store(0, b"\x47") + STOP),
    Probe("blake2f", precompile(9, bytes.fromhex("0000000c") + bytes(208) + b"\x01"),
          bytes.fromhex("0000000c") + bytes(208) + b"\x01"),
    Probe("base fee", store(0, b"\x48") + STOP),
    Probe("gas limit", store(0, b"\x45") + STOP),
    Probe("difficulty or randomness", store(0, b"\x44") + STOP),
    Probe("ancestors' hashes", b"".join(store(number, push(number) + b"\x40") for number in (1, 99, 100))),
    Probe("refunds", store(7, push(0)) + store(8, push(0)) + STOP),
    Probe("code that begins with EF", sent=_sends(Fork.FRONTIER, {
        "to": None, "data": push(0xEF) + push(0) + b"\x53" + push(1) + push(0) + b"\xf3"})),
    Probe("push0", store(0, b"\x5f") + STOP),
    Probe("price of the coinbase", store(0, spent(address(COINBASE) + b"\x31")) + STOP),
    Probe("init code's price", sent=_sends(Fork.FRONTIER, {
        "to": None, "data": STOP * 4_096, "gas_limit": 1_000_000})),
    Probe("init code's size", sent=_sends(Fork.FRONTIER, {
        "to": None, "data": STOP * 49_153, "gas_limit": 8_000_000})),
    Probe("transient storage", TRANSIENT),
    Probe("mcopy", MCOPY + store(0, push(9) + b"\x51") + STOP),
    Probe("blob hashes", store(0, push(0) + b"\x49") + STOP),
    Probe("blob base fee", store(0, b"\x4a") + STOP),
    Probe("self-destruction", address(BOB) + b"\xff"),
    Probe("self-destruction to nobody", address(NOBODY) + b"\xff"),
    Probe("blobs", sent=_blob),
    Probe("access lists", store(0, spent(push(7) + SLOAD)) + STOP, sent=_sends(Fork.BERLIN, {
        "type": 1, "gas_price_wei": 12 * GWEI,
        "access_list": [AccessListEntry(CONTRACT, ((7).to_bytes(WORD),))]})),
    Probe("bls12-381", precompile(0x0B, bytes(256)), bytes(256)),
    Probe("the floor under calldata", data=b"\x01" * 4_000),
    Probe("delegations", b"".join(
        store(slot, address(BOB) + bytes([op])) for slot, op in enumerate((0x3B, 0x3F))
    ), sent=_delegations),
    Probe("leading zeros", store(0, push(2**200) + b"\x1e") + store(1, push(0) + b"\x1e") + STOP),
    Probe("p256", precompile(0x100, _p256()), _p256()),
    Probe("modexp", precompile(5, _modexp(8, 8, 8)), _modexp(8, 8, 8)),
    Probe("modexp of large numbers", precompile(5, _modexp(64, 64, 64)), _modexp(64, 64, 64)),
    Probe("modexp past its bound", precompile(5, _modexp(1, 1, 1_025)), _modexp(1, 1, 1_025)),
    Probe("a transaction's gas cap", gas_limit=2**24 + 1),
    Probe("a transaction at its gas cap", gas_limit=2**24),
]  # fmt: skip
