"""The builder's keys: made at process start, held in memory, shown to nobody.

Replay mode needs the same keys each time; those derive from a public constant, are marked TEST-ONLY, and
are worthless by construction (anybody can derive them).
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import NoReturn

from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import RelayRefused
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import bls, signing
from mev_dagster.pbs.ssz import Container
from mev_dagster.pbs.types import ConsensusFork

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
EIP1559_TYPE = 2


class _Secret:
    """A secret that no print, log, copy or pickle shows."""

    __slots__ = ("_reveal",)

    def __init__(self, secret: int) -> None:
        # A closure, not an attribute: what dumps an object's attributes shows no integer.
        self._reveal: Callable[[], int] = lambda: secret

    def reveal(self) -> int:
        return self._reveal()

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise RelayRefused("a key does not leave the process")


class BlsKey:
    """A BLS key that signs under the sandbox's domain only."""

    __slots__ = ("_secret", "pubkey", "test_only")

    def __init__(self, secret: int, *, test_only: bool = False) -> None:
        self._secret = _Secret(secret)
        self.pubkey = bls.public_key(secret)
        self.test_only = test_only

    def sign(self, kind: Container, value: object, genesis_fork_version: bytes) -> bytes:
        """Sign a container of the builder API; a public network's domain is refused."""
        domain = signing.sandbox_domain(genesis_fork_version)
        return bls.sign(self._secret.reveal(), signing.signing_root(kind, value, domain))

    def sign_block(self, kind: Container, block: object, fork: ConsensusFork) -> bytes:
        """Sign a blinded block as a sandbox proposer."""
        root = signing.signing_root(kind, block, signing.sandbox_proposer_domain(fork))
        return bls.sign(self._secret.reveal(), root)

    def __repr__(self) -> str:
        return f"BlsKey({to_hex(self.pubkey)}{', TEST-ONLY' if self.test_only else ''})"


class PayoutKey:
    """The builder's account: coinbase of its blocks, payer of the proposer."""

    __slots__ = ("_secret", "address", "test_only")

    def __init__(self, secret: int, *, test_only: bool = False) -> None:
        self._secret = _Secret(secret)
        self.address = address_of(secret.to_bytes(32, "big"))
        self.test_only = test_only

    def sign_payment(
        self, *, chain_id: int, nonce: int, to: bytes, value_wei: int, gas_limit: int, base_fee_wei: int
    ) -> Transaction:
        """Sign a plain EIP-1559 transfer without a tip; a public chain is refused."""
        signing.refuse_public_chain(chain_id)
        return sign_transaction(
            self._secret.reveal().to_bytes(32, "big"),
            type=EIP1559_TYPE,
            chain_id=chain_id,
            nonce=nonce,
            to=to,
            value_wei=value_wei,
            data=b"",
            gas_limit=gas_limit,
            max_fee_per_gas_wei=base_fee_wei,
            max_priority_fee_per_gas_wei=0,
        )

    def __repr__(self) -> str:
        return f"PayoutKey({to_hex(self.address)}{', TEST-ONLY' if self.test_only else ''})"


class Keyring:
    """One builder's BLS key and payout key."""

    __slots__ = ("bls", "payout")

    def __init__(self, bls_key: BlsKey, payout_key: PayoutKey) -> None:
        self.bls = bls_key
        self.payout = payout_key

    @classmethod
    def ephemeral(cls) -> "Keyring":
        """Return keys from the system's generator; they die with the process."""
        return cls(
            BlsKey(1 + secrets.randbelow(bls.CURVE_ORDER - 1)),
            PayoutKey(1 + secrets.randbelow(SECP256K1_ORDER - 1)),
        )

    @classmethod
    def test_only(cls, label: str) -> "Keyring":
        """Return the keys that everybody can derive from `label`, for replay and tests."""
        return cls(
            BlsKey(_derive(f"bls {label}", bls.CURVE_ORDER), test_only=True),
            PayoutKey(_derive(f"payout {label}", SECP256K1_ORDER), test_only=True),
        )

    def __repr__(self) -> str:
        return f"Keyring({self.bls!r}, {self.payout!r})"


def _derive(purpose: str, order: int) -> int:
    seed = sha256(b"mev_dagster TEST-ONLY builder " + purpose.encode())
    return int.from_bytes(seed.digest() + sha256(seed.digest()).digest(), "big") % (order - 1) + 1
