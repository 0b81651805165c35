"""What is known of the state after one block, kept for the next ones: least recently read goes first."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from mev_dagster.evm.types import Account, AccountDiff

Slot = tuple[bytes, int]
Key = TypeVar("Key")
Value = TypeVar("Value")


class StateCache:
    """Accounts (without storage), slots and codes, each bounded; a dict's order is the order of use."""

    def __init__(self, *, accounts_kept: int, slots_kept: int, codes_kept: int) -> None:
        self.accounts: dict[bytes, Account] = {}
        self.slots: dict[Slot, int] = {}
        self.codes: dict[bytes, bytes] = {}
        self._accounts_kept = accounts_kept
        self._slots_kept = slots_kept
        self._codes_kept = codes_kept

    def invalidate(self, state_diff: Mapping[bytes, AccountDiff]) -> None:
        """Forget exactly what a block has changed; a code never changes under its hash."""
        emptied = set()
        for address, diff in state_diff.items():
            self.accounts.pop(address, None)
            if diff.deleted or diff.storage_cleared:
                emptied.add(address)
            for slot in diff.storage:
                self.slots.pop((address, slot), None)
        if emptied:
            self.slots = {key: value for key, value in self.slots.items() if key[0] not in emptied}

    def trim(self, accounts: Iterable[bytes], slots: Iterable[Slot], codes: Iterable[bytes]) -> None:
        """Note what was read since the last time, and drop what has not been for longest."""
        _trim(self.accounts, accounts, self._accounts_kept)
        _trim(self.slots, slots, self._slots_kept)
        _trim(self.codes, codes, self._codes_kept)


def _trim(kept: dict[Key, Value], read: Iterable[Key], limit: int) -> None:
    for key in read:
        if key in kept:
            kept[key] = kept.pop(key)
    for key in list(kept)[: max(0, len(kept) - limit)]:
        del kept[key]
