"""Who plays on the devnet. Every key is the keccak of a public sentence: for tests, never for value."""

from dataclasses import dataclass, field
from typing import NamedTuple

from mev_dagster.chain.envelope import ACCESS_LIST, DYNAMIC_FEE, LEGACY
from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.chain.transactions import AccessListEntry, Authorization, Transaction

TRADERS = 20
WHALES = 4
FOLK = 12


def phrase_of_role(role: str) -> str:
    """Return the public phrase that a role's key is the keccak of."""
    return f"mev_dagster TEST-ONLY {role}"


def key_of_role(role: str) -> bytes:
    """Return the private key that anyone can derive for a role of the devnet."""
    return keccak(phrase_of_role(role).encode())


class Fees(NamedTuple):
    """What a transaction offers; for types 0 and 1 the gas price is `max_fee_wei`."""

    max_fee_wei: int
    priority_fee_wei: int


class Wallet:
    """One account that signs, and counts its own nonces."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.key = key_of_role(role)
        self.address = address_of(self.key)
        self.nonce = 0

    def sign(
        self,
        fees: Fees,
        *,
        to: bytes | None,
        gas_limit: int,
        kind: int = DYNAMIC_FEE,
        nonce: int | None = None,
        value_wei: int = 0,
        data: bytes = b"",
        access_list: tuple[AccessListEntry, ...] = (),
        authorizations: tuple[Authorization, ...] = (),
        blob_versioned_hashes: tuple[bytes, ...] = (),
        max_fee_per_blob_gas_wei: int | None = None,
    ) -> Transaction:
        """Sign with the next nonce; a `nonce` that is given repeats one and moves nothing."""
        priced_by_gas = kind in {LEGACY, ACCESS_LIST}
        transaction = sign_transaction(
            self.key,
            type=kind,
            chain_id=DEVNET_CHAIN_ID,
            nonce=self.nonce if nonce is None else nonce,
            to=to,
            gas_limit=gas_limit,
            value_wei=value_wei,
            data=data,
            gas_price_wei=fees.max_fee_wei if priced_by_gas else None,
            max_fee_per_gas_wei=None if priced_by_gas else fees.max_fee_wei,
            max_priority_fee_per_gas_wei=None if priced_by_gas else fees.priority_fee_wei,
            max_fee_per_blob_gas_wei=max_fee_per_blob_gas_wei,
            access_list=access_list,
            authorization_list=authorizations,
            blob_versioned_hashes=blob_versioned_hashes,
        )
        if nonce is None:
            self.nonce += 1
        return transaction


def _wallets(role: str, count: int) -> tuple[Wallet, ...]:
    return tuple(Wallet(f"{role} {number}") for number in range(1, count + 1))


@dataclass(frozen=True, slots=True)
class Cast:
    """Everyone. `traders` swap a little, `whales` a lot, `folk` send ether; the rest have one habit each."""

    deployer: Wallet = field(default_factory=lambda: Wallet("deployer 1"))
    builder: Wallet = field(default_factory=lambda: Wallet("builder 1"))
    searcher: Wallet = field(default_factory=lambda: Wallet("searcher 1"))
    rival: Wallet = field(default_factory=lambda: Wallet("rival searcher 1"))
    keeper: Wallet = field(default_factory=lambda: Wallet("keeper 1"))
    rollup: Wallet = field(default_factory=lambda: Wallet("rollup 1"))
    sponsor: Wallet = field(default_factory=lambda: Wallet("sponsor 1"))
    smart_account: Wallet = field(default_factory=lambda: Wallet("smart account 1"))
    hasty: Wallet = field(default_factory=lambda: Wallet("hasty 1"))
    spendthrift: Wallet = field(default_factory=lambda: Wallet("spendthrift 1"))
    traders: tuple[Wallet, ...] = field(default_factory=lambda: _wallets("trader", TRADERS))
    whales: tuple[Wallet, ...] = field(default_factory=lambda: _wallets("whale", WHALES))
    folk: tuple[Wallet, ...] = field(default_factory=lambda: _wallets("folk", FOLK))

    def bots(self) -> tuple[Wallet, ...]:
        """Return those who own an executor."""
        return (self.searcher, self.rival, self.keeper)

    def everyone(self) -> tuple[Wallet, ...]:
        """Return all wallets, in a fixed order."""
        single = (self.deployer, self.builder, *self.bots(), self.rollup, self.sponsor, self.smart_account)
        return (*single, self.hasty, self.spendthrift, *self.traders, *self.whales, *self.folk)
