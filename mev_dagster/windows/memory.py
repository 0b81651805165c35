"""Decoded transactions that need not be decoded twice, as many as fit."""

from cachetools import FIFOCache

from mev_dagster.chain.transactions import Transaction


class DecodedTransactions:
    """Transactions decoded lately, so that lane, pipeline and row builder recover a sender once.

    Decoding is a pure function of the bytes, so an answer counts only for exactly the bytes it came from:
    a hostile body that claims a known hash finds nothing here.
    """

    def __init__(self, capacity: int = 16_384) -> None:
        self._recent: FIFOCache[bytes, Transaction] = FIFOCache(capacity)

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
