"""A tiny complete state for block-building tests: funded accounts and two contracts in a few bytes each."""

from dataclasses import dataclass

from mev_dagster.chain.forks import Fork, devnet_schedule
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account
from mev_dagster.pbs.context import BlockContext, Proposer

CHAIN_ID = 31_337
GWEI = 10**9
ETHER = 10**18
BASE_FEE = 7 * GWEI
KEYS = [keccak(b"pbs test account %d" % number) for number in range(8)]
ADDRESSES = [address_of(key) for key in KEYS]
PROPOSER = Proposer(pubkey=b"\xa5" * 48, fee_recipient=b"\x9e" * 20, gas_limit=30_000_000)

# Pays the coinbase `10 gwei >> storage[0]`, then doubles the shift: each caller earns it less than the one
# before. sload(0) dup1; 10 gwei, shr; call(gas, coinbase, value); sstore(0, n + 1)
TIP_JAR_CODE = bytes.fromhex("5f546402540be400811c5f5f5f5f93415af1506001015f5500")
# Pays the coinbase 1 gwei once; reverts for every later caller.
FIRST_ONLY_CODE = bytes.fromhex("5f5460165760015f555f5f5f5f633b9aca00415af1005b5f5ffd")
TIP_JAR = b"\x71" * 20
FIRST_ONLY = b"\xf1" * 20


def state(*, complete: bool = True) -> Prestate:
    accounts = {address: Account(100 * ETHER, 0, EMPTY_CODE_HASH) for address in ADDRESSES}
    codes = {}
    for address, code in ((TIP_JAR, TIP_JAR_CODE), (FIRST_ONLY, FIRST_ONLY_CODE)):
        codes[keccak(code)] = code
        accounts[address] = Account(ETHER, 1, keccak(code), {0: 0})
    return Prestate(accounts, codes, {}, complete)


def context(fork: Fork = Fork.PRAGUE, **changes) -> BlockContext:
    fields = {
        "schedule": devnet_schedule(fork),
        "slot": 100,
        "number": 1,
        "parent_hash": b"\x11" * 32,
        "timestamp": 1_800_000_000,
        "prev_randao": b"\x22" * 32,
        "gas_limit": 30_000_000,
        "base_fee_per_gas_wei": BASE_FEE,
        "withdrawals": () if fork >= Fork.SHANGHAI else None,
        "excess_blob_gas": 0 if fork >= Fork.CANCUN else None,
        "parent_beacon_block_root": b"\x33" * 32 if fork >= Fork.CANCUN else None,
    }
    return BlockContext(**(fields | changes))


def transfer(
    sender: int, nonce: int = 0, *, tip_gwei: int = 1, to: bytes = b"\x01" * 20, **fields
) -> Transaction:
    fields = {"gas_limit": 21_000 if to not in (TIP_JAR, FIRST_ONLY) else 100_000, "value_wei": 1, **fields}
    return sign_transaction(
        KEYS[sender],
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=to,
        max_fee_per_gas_wei=fields.pop("max_fee", 1_000 * GWEI),
        max_priority_fee_per_gas_wei=tip_gwei * GWEI,
        **fields,
    )


def call(sender: int, to: bytes, nonce: int = 0, *, tip_gwei: int = 0) -> Transaction:
    return transfer(sender, nonce, tip_gwei=tip_gwei, to=to, value_wei=0)


@dataclass(frozen=True)
class Candidate:
    """What the search hands over."""

    txs: tuple[Transaction, ...]
    simulated_profit_wei: int | None = 1

    @property
    def verified(self) -> bool:
        return self.simulated_profit_wei is not None and self.simulated_profit_wei > 0

    @property
    def opportunity_id(self) -> bytes:
        return keccak(b"".join(tx.hash for tx in self.txs))
