"""A captured state: every account, slot, code and ancestor hash that execution may ask for.

A `Prestate` is frozen, and what it does not hold is `MissingState`, unless it says how it was made: where
it `lists_every_account`, an address that is not listed does not exist; where it `lists_every_slot`, a slot
of a listed account that is not listed is zero; where it is `complete`, both (a devnet's whole state).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, runtime_checkable

from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.trie import state_root
from mev_dagster.errors import InputError, MissingState
from mev_dagster.evm.types import ABSENT_ACCOUNT, Account, AccountDiff, StateSource
from mev_dagster.hexadecimal import from_hex, to_hex

Json = dict[str, Any]
_FLAGS = ("complete", "lists_every_account", "lists_every_slot")


@dataclass(frozen=True, slots=True)
class AccountOverride:
    """Fields of one account to be declared different; None leaves a field as it is."""

    balance_wei: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    storage: Mapping[int, int] = field(default_factory=dict)


@runtime_checkable
class Recording(StateSource, Protocol):
    """A source that remembers what was read from it."""

    def recorded(self) -> "Prestate":
        """Return all that has been read so far."""
        ...


@dataclass(frozen=True)
class Prestate:
    """A frozen `StateSource` held in memory.

    `fallback` is asked for what is not listed: a live node, pinned to the same block. It is no part of the
    prestate's value; what a search read from it is recorded there and becomes a prestate of its own.
    """

    accounts: Mapping[bytes, Account]
    codes: Mapping[bytes, bytes]
    block_hashes: Mapping[int, bytes] = field(default_factory=dict)
    complete: bool = False
    lists_every_account: bool = False
    lists_every_slot: bool = False
    fallback: StateSource | None = field(default=None, compare=False, repr=False)

    def account(self, address: bytes) -> Account:
        """Return the account, or raise `MissingState`."""
        found = self.accounts.get(address)
        if found is not None:
            return found
        if self.complete or self.lists_every_account:
            return ABSENT_ACCOUNT
        if self.fallback is not None:
            return self.fallback.account(address)
        raise MissingState("account", to_hex(address))

    def storage(self, address: bytes, slot: int) -> int:
        """Return one storage value, or raise `MissingState`."""
        account = self.account(address)
        value = account.storage.get(slot)
        if value is not None:
            return value
        if (
            self.complete
            or self.lists_every_slot
            or account.whole
            or (account.nonce == 0 and account.code_hash == EMPTY_CODE_HASH)
        ):
            return 0  # nothing has ever run there, so nothing has been stored there
        if self.fallback is not None:
            return self.fallback.storage(address, slot)
        raise MissingState("storage", f"{to_hex(address)}/{slot:#066x}")

    def code(self, code_hash: bytes) -> bytes:
        """Return the code with this keccak, or raise `MissingState`."""
        if code_hash == EMPTY_CODE_HASH:
            return b""
        found = self.codes.get(code_hash)
        if found is None and self.fallback is not None:
            return self.fallback.code(code_hash)
        if found is None:
            raise MissingState("code", to_hex(code_hash))
        return found

    def block_hash(self, number: int) -> bytes:
        """Return an ancestor's hash, or raise `MissingState`."""
        found = self.block_hashes.get(number)
        if found is None and self.fallback is not None:
            return self.fallback.block_hash(number)
        if found is None:
            raise MissingState("block_hash", str(number))
        return found

    def presumed_absent(self, addresses: Iterable[bytes]) -> list[bytes]:
        """Return those that are held not to exist only because they are not listed.

        A file that lists every account says of one it lost that it does not exist; only an execution that
        comes out wrong tells the difference.
        """
        if self.complete or not self.lists_every_account:
            return []
        return [address for address in addresses if address not in self.accounts]

    def self_contained(self) -> "Prestate":
        """Return this state with what has been read through its fallback listed, and no fallback."""
        behind = self.fallback
        if not isinstance(behind, Recording):
            return self
        read = behind.recorded()
        accounts = {**read.accounts, **self.accounts}
        for address in read.accounts.keys() & self.accounts.keys():
            ours = self.accounts[address]
            storage = {**read.accounts[address].storage, **ours.storage}
            accounts[address] = replace(ours, storage=storage)
        return replace(
            self,
            accounts=accounts,
            codes={**read.codes, **self.codes},
            block_hashes={**read.block_hashes, **self.block_hashes},
            fallback=None,
        )

    def state_root(self) -> bytes:
        """Return the root of the state trie; only a complete state has one to compute."""
        if not self.complete:
            raise InputError("only a complete prestate gives a state root; use a witness")
        return state_root(
            {
                address: (account.nonce, account.balance_wei, account.code_hash, account.storage)
                for address, account in self.accounts.items()
                if account.exists
            }
        )

    def with_overrides(self, overrides: Mapping[bytes, AccountOverride]) -> "Prestate":
        """Return this state with some accounts declared different."""
        accounts, codes = dict(self.accounts), dict(self.codes)
        for address, override in overrides.items():
            before = accounts.get(address, ABSENT_ACCOUNT)
            code_hash = before.code_hash
            if override.code is not None:
                code_hash = keccak(override.code)
                codes[code_hash] = override.code
            accounts[address] = Account(
                balance_wei=before.balance_wei if override.balance_wei is None else override.balance_wei,
                nonce=before.nonce if override.nonce is None else override.nonce,
                code_hash=code_hash,
                storage={**before.storage, **override.storage},
                whole=before.whole or self._begins(before),
            )
        return replace(self, accounts=accounts, codes=codes)

    def apply(self, state_diff: Mapping[bytes, AccountDiff]) -> "Prestate":
        """Return the state after these changes. Ancestor hashes stay; add the new block's with `replace`."""
        accounts, codes = dict(self.accounts), dict(self.codes)
        for address, diff in state_diff.items():
            if diff.deleted:
                accounts[address] = ABSENT_ACCOUNT
                continue
            before = accounts.get(address, ABSENT_ACCOUNT)
            code_hash = before.code_hash
            if diff.code is not None:
                code_hash = keccak(diff.code)
                codes[code_hash] = diff.code
            # A cleared account forgot every slot, also those this prestate has never held.
            kept = dict.fromkeys(before.storage, 0) if diff.storage_cleared else before.storage
            accounts[address] = Account(
                balance_wei=before.balance_wei if diff.balance_wei is None else diff.balance_wei,
                nonce=before.nonce if diff.nonce is None else diff.nonce,
                code_hash=code_hash,
                storage={**kept, **diff.storage},
                whole=before.whole or self._begins(before),
            )
        return replace(self, accounts=accounts, codes=codes)

    def _begins(self, before: Account) -> bool:
        """Say whether an account begins here and is all that is written; most states need no mark."""
        return not before.exists and not (self.complete or self.lists_every_slot)

    def digest(self) -> bytes:
        """Return the SHA-256 of the canonical JSON: the name of this prestate."""
        return hashlib.sha256(self.canonical()).digest()

    def canonical(self) -> bytes:
        """Return the canonical JSON: sorted, compact, codes by hash only."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":")).encode()

    def to_json(self) -> Json:
        """Return a JSON document without the codes, which are stored once by their keccak."""
        return {
            "accounts": {
                to_hex(address): _account_to_json(account)
                for address, account in sorted(self.accounts.items())
            },
            "block_hashes": {
                str(number): to_hex(found) for number, found in sorted(self.block_hashes.items())
            },
            **{name: getattr(self, name) for name in _FLAGS},
        }

    @classmethod
    def from_json(cls, document: Json, codes: Mapping[bytes, bytes]) -> Self:
        """Read what `to_json` wrote; `codes` are by keccak and may hold more than is needed."""
        try:
            accounts = {
                from_hex(address): _account_from_json(fields)
                for address, fields in document["accounts"].items()
            }
            hashes = {int(number): from_hex(h) for number, h in document["block_hashes"].items()}
            flags = {name: bool(document[name]) for name in _FLAGS}
            return cls(
                accounts,
                _needed(codes, accounts),
                hashes,
                complete=flags["complete"],
                lists_every_account=flags["lists_every_account"],
                lists_every_slot=flags["lists_every_slot"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"prestate: {type(error).__name__}: {error}") from error

    @classmethod
    def from_fixture(cls, document: Json, codes: Mapping[bytes, bytes]) -> Self:
        """Read the `pre_state` and `block_hashes` of a block file (fixtures/README).

        Such a file leaves out the accounts that were touched but did not exist; one that lists no zero slot
        at all leaves those out too.
        """
        try:
            accounts = {
                from_hex(address, 20): _account_from_json(fields)
                for address, fields in document["pre_state"].items()
            }
            hashes = {int(number): from_hex(h, 32) for number, h in document["block_hashes"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"pre_state: {type(error).__name__}: {error}") from error
        holds_zeros = any(value == 0 for account in accounts.values() for value in account.storage.values())
        return cls(
            accounts,
            _needed(codes, accounts),
            hashes,
            lists_every_account=True,
            lists_every_slot=not holds_zeros,
        )


def _needed(codes: Mapping[bytes, bytes], accounts: Mapping[bytes, Account]) -> Mapping[bytes, bytes]:
    """Return the codes that these accounts have, each checked against its hash."""
    needed = {}
    for code_hash in {account.code_hash for account in accounts.values()} - {EMPTY_CODE_HASH}:
        code = codes.get(code_hash)
        if code is None:
            continue  # found missing when execution wants it, which it may never do
        if keccak(code) != code_hash:
            raise InputError(f"the code stored as {to_hex(code_hash)} does not have that hash")
        needed[code_hash] = code
    return needed


def _account_to_json(account: Account) -> Json | None:
    if not account.exists:
        return None
    return {
        "balance": hex(account.balance_wei),
        "nonce": account.nonce,
        "code_hash": None if account.code_hash == EMPTY_CODE_HASH else to_hex(account.code_hash),
        "storage": {f"{slot:#066x}": hex(value) for slot, value in sorted(account.storage.items())},
        **({"whole": True} if account.whole else {}),
    }


def _account_from_json(fields: Json | None) -> Account:
    if fields is None:
        return ABSENT_ACCOUNT
    code_hash = fields["code_hash"]
    return Account(
        balance_wei=_integer(fields["balance"]),
        nonce=_integer(fields["nonce"]),
        code_hash=EMPTY_CODE_HASH if code_hash is None else from_hex(code_hash, 32),
        storage={_integer(slot): _integer(value) for slot, value in fields["storage"].items()},
        whole=bool(fields.get("whole", False)),
    )


def _integer(value: str | int) -> int:
    number = value if isinstance(value, int) else int(value, 16)
    if not 0 <= number < 1 << 256:
        raise ValueError(f"{value} is not an unsigned 256-bit number")
    return number
