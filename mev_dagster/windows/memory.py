"""Bounded memories: what has been seen lately, and decoded transactions that need not be decoded twice."""

from collections import OrderedDict
from typing import Generic, TypeVar

from mev_dagster.chain.transactions import Transaction

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A mapping that forgets the entry written longest ago once it holds `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __setitem__(self, key: Key, value: Value) -> None:
        self._entries[key] = value
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        """Return the value of `key`, None when it was never written or has been forgotten."""
        return self._entries.get(key)

    def pop(self, key: Key) -> Value | None:
        """Forget `key` and return its value."""
        return self._entries.pop(key, None)


class DecodedTransactions:
    """Transactions decoded lately, so that lane, pipeline and row builder recover a sender once.

    Decoding is a pure function of the bytes, so an answer counts only for exactly the bytes it came from:
    a hostile body that claims a known hash finds nothing here.
    """

    def __init__(self, capacity: int = 16_384) -> None:
        self._recent: Recent[bytes, Transaction] = Recent(capacity)

    def remember(self, transaction: Transaction) -> None:
        """Keep a decoded transaction for a while."""
        self._recent[transaction.hash] = transaction

    def get(self, tx_hash: bytes) -> Transaction | None:
        """Return the transaction with this hash, for a caller that checks its bytes against a root."""
        return self._recent.get(tx_hash)

    def find(self, tx_hash: bytes, raw: bytes) -> Transaction | None:
        """Return the transaction that `raw` decodes to, if that is already known."""
        transaction = self._recent.get(tx_hash)
        return transaction if transaction is not None and transaction.raw == raw else None
