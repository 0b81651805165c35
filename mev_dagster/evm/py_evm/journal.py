"""The state that py-evm executes on: dictionaries over a `StateSource`, and one undo log.

py-evm's own account database keeps tries; it cannot go back past a transaction and spends most of its
time encoding. Here a snapshot is the length of the undo log, a revert pops entries, and the entries since
a snapshot are also exactly what the state diff is made of.
"""

from collections.abc import Mapping

from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.evm.py_evm import changes
from mev_dagster.evm.py_evm.changes import (
    BALANCE,
    CODE,
    EXISTS,
    NONCE,
    RECORD,
    SLOT,
    TRANSIENT,
    WARM_ADDRESS,
    WARM_SLOT,
    Record,
    Undo,
)
from mev_dagster.evm.types import AccountDiff, StateSource


class Journal:
    """Accounts, storage, transient storage and warm sets, all revertible to any earlier snapshot.

    The method names are those of py-evm's state and account database, because its opcodes call them.
    """

    def __init__(self, source: StateSource) -> None:
        self._source = source
        self._records: dict[bytes, Record] = {}
        self._codes: dict[bytes, bytes] = {EMPTY_CODE_HASH: b""}
        self._undo: list[Undo] = []
        self._original: dict[tuple[bytes, int], int] = {}
        self._transient: dict[tuple[bytes, int], bytes] = {}
        self._warm_addresses: set[bytes] = set()
        self._warm_slots: set[tuple[bytes, int]] = set()
        self.accounts_touched: set[bytes] = set()
        self.slots_touched: set[tuple[bytes, int]] = set()

    # -- snapshots ------------------------------------------------------------------------------------

    def snapshot(self) -> int:
        """Return a mark to go back to; it stays valid across transactions."""
        return len(self._undo)

    def revert(self, snapshot: int) -> None:
        """Take back everything since the mark."""
        undo, records = self._undo, self._records
        while len(undo) > snapshot:
            kind, address, key, old = undo.pop()
            if kind == SLOT:
                records[address].storage[key] = old
            elif kind == BALANCE:
                records[address].balance = old
            elif kind == WARM_SLOT:
                self._warm_slots.discard((address, key))
            elif kind == WARM_ADDRESS:
                self._warm_addresses.discard(address)
            elif kind == NONCE:
                records[address].nonce = old
            elif kind == CODE:
                records[address].code_hash = old
            elif kind == EXISTS:
                records[address].exists = False
            elif kind == TRANSIENT:
                self._transient[address, key] = old
            else:
                records[address] = old

    def commit(self, snapshot: int) -> None:
        """Keep what happened since the mark; the undo log keeps it revertible to earlier marks."""

    def begin_transaction(self) -> None:
        """Forget what lives for one transaction: warmth, original values, transient storage, touched sets."""
        self._original.clear()
        self._transient.clear()
        self._warm_addresses.clear()
        self._warm_slots.clear()
        self.accounts_touched = set()
        self.slots_touched = set()

    # -- accounts -------------------------------------------------------------------------------------

    def _record(self, address: bytes) -> Record:
        self.accounts_touched.add(address)
        record = self._records.get(address)
        if record is None:
            account = self._source.account(address)
            # Where there has never been a nonce nor code, nothing can have been stored.
            fresh = account.nonce == 0 and account.code_hash == EMPTY_CODE_HASH
            record = Record(account.balance_wei, account.nonce, account.code_hash, account.exists, fresh)
            record.storage.update(account.storage)
            self._records[address] = record
        return record

    def _make_exist(self, address: bytes, record: Record) -> None:
        if not record.exists:
            self._undo.append((EXISTS, address, 0, None))
            record.exists = True

    def get_balance(self, address: bytes) -> int:
        """Return the balance in wei."""
        return self._record(address).balance

    def set_balance(self, address: bytes, balance: int) -> None:
        """Set the balance; an account whose balance was set exists from then on."""
        record = self._record(address)
        self._undo.append((BALANCE, address, 0, record.balance))
        record.balance = balance
        self._make_exist(address, record)

    def delta_balance(self, address: bytes, delta: int) -> None:
        """Add to the balance."""
        self.set_balance(address, self._record(address).balance + delta)

    def get_nonce(self, address: bytes) -> int:
        """Return the nonce."""
        return self._record(address).nonce

    def set_nonce(self, address: bytes, nonce: int) -> None:
        """Set the nonce."""
        record = self._record(address)
        self._undo.append((NONCE, address, 0, record.nonce))
        record.nonce = nonce
        self._make_exist(address, record)

    def increment_nonce(self, address: bytes) -> None:
        """Add one to the nonce."""
        self.set_nonce(address, self._record(address).nonce + 1)

    def get_code_hash(self, address: bytes) -> bytes:
        """Return the keccak of the code."""
        return self._record(address).code_hash

    def get_code(self, address: bytes) -> bytes:
        """Return the code."""
        code_hash = self._record(address).code_hash
        code = self._codes.get(code_hash)
        if code is None:
            code = self._codes[code_hash] = self._source.code(code_hash)
        return code

    def set_code(self, address: bytes, code: bytes) -> None:
        """Set the code."""
        code_hash = keccak(code)
        self._codes[code_hash] = code
        record = self._record(address)
        self._undo.append((CODE, address, 0, record.code_hash))
        record.code_hash = code_hash
        self._make_exist(address, record)

    def delete_code(self, address: bytes) -> None:
        """Set the code to nothing, as an EIP-7702 delegation to the zero address does."""
        self.set_code(address, b"")

    def has_code_or_nonce(self, address: bytes) -> bool:
        """Say whether a contract cannot be created here; storage counts as well (EIP-7610)."""
        record = self._record(address)
        return record.nonce != 0 or record.code_hash != EMPTY_CODE_HASH or any(record.storage.values())

    def account_exists(self, address: bytes) -> bool:
        """Say whether the account is in the state trie."""
        return self._record(address).exists

    def account_is_empty(self, address: bytes) -> bool:
        """Say whether balance, nonce and code are all empty (EIP-161)."""
        record = self._record(address)
        return record.balance == 0 and record.nonce == 0 and record.code_hash == EMPTY_CODE_HASH

    def touch_account(self, address: bytes) -> None:
        """Bring the account into existence, empty."""
        self._make_exist(address, self._record(address))

    def delete_account(self, address: bytes) -> None:
        """Remove the account with its storage."""
        self._undo.append((RECORD, address, 0, self._record(address)))
        self._records[address] = Record(0, 0, EMPTY_CODE_HASH, exists=False, fresh=True)

    def delete_storage(self, address: bytes) -> None:
        """Empty the storage, keep the account: what a creation starts from."""
        record = self._record(address)
        if record.fresh and not any(record.storage.values()):
            return  # there is nothing to empty, whether or not its zeros were listed
        self._undo.append((RECORD, address, 0, record))
        self._records[address] = Record(
            record.balance, record.nonce, record.code_hash, record.exists, fresh=True
        )

    # -- storage --------------------------------------------------------------------------------------

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        """Return a slot's value; with `from_journal` False, the value it had before this transaction."""
        key = (address, slot)
        if not from_journal and key in self._original:
            return self._original[key]
        record = self._record(address)
        self.slots_touched.add(key)
        value = record.storage.get(slot)
        if value is None:
            value = 0 if record.fresh else self._source.storage(address, slot)
            record.storage[slot] = value
        return value

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        """Set a slot's value."""
        old = self.get_storage(address, slot)
        self._original.setdefault((address, slot), old)
        self._undo.append((SLOT, address, slot, old))
        self._records[address].storage[slot] = value

    def get_transient_storage(self, address: bytes, slot: int) -> bytes:
        """Return a transient slot's value (EIP-1153)."""
        return self._transient.get((address, slot), b"")

    def set_transient_storage(self, address: bytes, slot: int, value: bytes) -> None:
        """Set a transient slot's value."""
        self._undo.append((TRANSIENT, address, slot, self._transient.get((address, slot), b"")))
        self._transient[address, slot] = value

    def clear_transient_storage(self) -> None:
        """Do nothing here: `begin_transaction` clears."""

    # -- warmth (EIP-2929) ----------------------------------------------------------------------------

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        """Say whether this transaction has accessed the slot."""
        return (address, slot) in self._warm_slots

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        """Note that this transaction has accessed the slot."""
        if (address, slot) not in self._warm_slots:
            self._warm_slots.add((address, slot))
            self._undo.append((WARM_SLOT, address, slot, None))

    def is_address_warm(self, address: bytes) -> bool:
        """Say whether this transaction has accessed the account."""
        return address in self._warm_addresses

    def mark_address_warm(self, address: bytes) -> None:
        """Note that this transaction has accessed the account."""
        if address not in self._warm_addresses:
            self._warm_addresses.add(address)
            self._undo.append((WARM_ADDRESS, address, 0, None))

    # -- what changed ---------------------------------------------------------------------------------

    def balance_changes(self, snapshot: int) -> dict[bytes, int]:
        """Return by how much each balance differs from what it was at the mark."""
        return changes.balance_changes(self._undo[snapshot:], self._records)

    def slots_written(self, snapshot: int) -> tuple[tuple[bytes, int], ...]:
        """Return the slots whose value differs from what it was at the mark."""
        return changes.slots_written(self._undo[snapshot:], self._records)

    def state_diff(self, snapshot: int = 0) -> Mapping[bytes, AccountDiff]:
        """Return every account that differs from what it was at the mark, by address in order."""
        return changes.state_diff(self._undo[snapshot:], self._records, self._codes)
