"""What happened to a state since a mark: old values from the undo log, new ones from the records."""

from collections.abc import Mapping, Sequence
from typing import Any

from mev_dagster.chain.keccak import EMPTY_CODE_HASH
from mev_dagster.evm.types import AccountDiff


class Record:
    """One account as it is now. `fresh` says that absent slots are zero rather than unread."""

    __slots__ = ("balance", "code_hash", "exists", "fresh", "nonce", "storage")

    def __init__(self, balance: int, nonce: int, code_hash: bytes, exists: bool, fresh: bool) -> None:
        self.balance = balance
        self.nonce = nonce
        self.code_hash = code_hash
        self.exists = exists
        self.fresh = fresh
        self.storage: dict[int, int] = {}


# What an undo entry restores: (kind, address, key, old value). A RECORD entry holds a whole account.
BALANCE, NONCE, CODE, EXISTS, SLOT, RECORD, WARM_ADDRESS, WARM_SLOT, TRANSIENT = range(9)
Undo = tuple[int, bytes, int, Any]
Records = Mapping[bytes, Record]


def balance_changes(undo: Sequence[Undo], records: Records) -> dict[bytes, int]:
    """Return by how much each balance differs from what it was."""
    before: dict[bytes, int] = {}
    for kind, address, _, old in undo:
        if kind == BALANCE:
            before.setdefault(address, old)
        elif kind == RECORD:
            before.setdefault(address, old.balance)
    changes = {address: records[address].balance - old for address, old in before.items()}
    return {address: delta for address, delta in sorted(changes.items()) if delta}


def slots_written(undo: Sequence[Undo], records: Records) -> tuple[tuple[bytes, int], ...]:
    """Return the slots whose value differs from what it was."""
    before: dict[tuple[bytes, int], int] = {}
    for kind, address, slot, old in undo:
        if kind == SLOT:
            before.setdefault((address, slot), old)
        elif kind == RECORD:
            for known, value in old.storage.items():
                before.setdefault((address, known), value)
    changed = (
        (address, slot)
        for (address, slot), old in before.items()
        if records[address].storage.get(slot, 0) != old
    )
    return tuple(sorted(changed))


def state_diff(
    undo: Sequence[Undo], records: Records, codes: Mapping[bytes, bytes]
) -> dict[bytes, AccountDiff]:
    """Return every account that differs from what it was, by address in order."""
    before: dict[bytes, _Before] = {}
    for kind, address, key, old in undo:
        if kind <= RECORD:
            before.setdefault(address, _Before()).note(kind, key, old)
    diffs = {address: seen.diff_to(records[address], codes) for address, seen in before.items()}
    return {address: diff for address, diff in sorted(diffs.items()) if diff is not None}


class _Before:
    """What an account looked like, gathered from the oldest undo entry of each of its fields."""

    __slots__ = ("fields", "replaced", "slots")

    def __init__(self) -> None:
        self.fields: dict[int, Any] = {}
        self.slots: dict[int, int] = {}
        self.replaced = False

    def note(self, kind: int, key: int, old: Any) -> None:
        """Take an undo entry, the older ones first."""
        if self.replaced:
            return  # the record that was replaced has already said everything
        if kind == SLOT:
            self.slots.setdefault(key, old)
        elif kind == RECORD:
            self.replaced = True
            whole = ((BALANCE, old.balance), (NONCE, old.nonce), (CODE, old.code_hash), (EXISTS, old.exists))
            for field, value in whole:
                self.fields.setdefault(field, value)
        else:
            self.fields.setdefault(kind, False if kind == EXISTS else old)

    def diff_to(self, now: Record, codes: Mapping[bytes, bytes]) -> AccountDiff | None:
        """Return the difference to what the account is now, None where there is none."""
        existed = bool(self.fields.get(EXISTS, now.exists))
        if not now.exists:
            return AccountDiff(None, None, None, {}, deleted=True) if existed else None
        # A new account that stays empty (before EIP-161) has no changed field, yet is in the trie.
        born_empty = not existed and (now.balance, now.nonce, now.code_hash) == (0, 0, EMPTY_CODE_HASH)
        diff = AccountDiff(
            balance_wei=now.balance if born_empty or self._changed(BALANCE, now.balance) else None,
            nonce=now.nonce if born_empty or self._changed(NONCE, now.nonce) else None,
            code=codes[now.code_hash] if self._changed(CODE, now.code_hash) else None,
            storage=self._storage_of(now),
            storage_cleared=self.replaced and existed,
        )
        return None if diff == AccountDiff(None, None, None, {}) else diff

    def _changed(self, field: int, now: Any) -> bool:
        return bool(self.fields.get(field, now) != now)

    def _storage_of(self, now: Record) -> dict[int, int]:
        if self.replaced:  # deleted and made again: only what is there now counts
            return {slot: value for slot, value in sorted(now.storage.items()) if value}
        return {
            slot: now.storage[slot]
            for slot, old in sorted(self.slots.items())
            if now.storage.get(slot, 0) != old
        }
