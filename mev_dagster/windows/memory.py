"""Decoded transactions that need not be decoded twice, as many as fit into some bytes."""

from cachetools import FIFOCache

from mev_dagster.chain.transactions import Transaction
from mev_dagster.units import MIB

CAPACITY_BYTES = 32 * MIB
_FIELDS_BYTES = 1_536  # of a transaction beside its bytes, which it holds twice: whole, and as its input


class DecodedTransactions:
    """Transactions decoded lately, so that lane, pipeline and row builder recover a sender once.

    Decoding is a pure function of the bytes, so an answer counts only for exactly the bytes it came from:
    a hostile body that claims a known hash finds nothing here.
    """

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._recent: FIFOCache[bytes, Transaction] = FIFOCache(capacity_bytes, getsizeof=_held_bytes)

    @property
    def held_bytes(self) -> int:
        """About how much memory the transactions take."""
        return int(self._recent.currsize)

    def remember(self, transaction: Transaction) -> None:
        """Keep a decoded transaction for a while; one that is larger than the whole is not kept."""
        if _held_bytes(transaction) <= self._recent.maxsize:
            self._recent[transaction.hash] = transaction

    def newest_senders(self, limit: int) -> list[bytes]:
        """Return who sent lately, the newest first, each once."""
        found = dict.fromkeys(one.sender for one in reversed(list(self._recent.values())[-8 * limit :]))
        return list(found)[:limit]

    def get(self, tx_hash: bytes) -> Transaction | None:
        """Return the transaction with this hash, for a caller that checks its bytes against a root."""
        return self._recent.get(tx_hash)

    def find(self, tx_hash: bytes, raw: bytes) -> Transaction | None:
        """Return the transaction that `raw` decodes to, if that is already known."""
        transaction = self._recent.get(tx_hash)
        return transaction if transaction is not None and transaction.raw == raw else None


def _held_bytes(transaction: Transaction) -> int:
    return _FIELDS_BYTES + 2 * len(transaction.raw)
