"""The one path: arrivals in, events in log order out. Live, capture and replay all go through here.

A sighting is always logged. A body is logged once per hash, after it decoded; what does not decode is
logged as rejected, with its reason. A block is logged with everything it settles, in this order:

    BlockReverted* LaneStatus(gap)? TxBody* TxIncluded* TxReplaced* BlockSeen

so that the window which `BlockSeen` closes holds the whole block. Bodies that only the block brought carry
the source suffix `/block` and have no sighting: nobody could have acted on them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from cachetools import FIFOCache

from mev_dagster.chain.blocks import encode_header
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import Transaction, decode_transaction, strip_sidecar
from mev_dagster.errors import DecodeError
from mev_dagster.events.types import (
    FROM_BLOCK,
    BlockReverted,
    BlockSeen,
    Event,
    Lane,
    LaneState,
    LaneStatus,
    TxBody,
    TxIncluded,
    TxRejected,
    TxReplaced,
    TxSeen,
)
from mev_dagster.hexadecimal import to_hex
from mev_dagster.ingest.arrivals import UNLOGGED, Arrival, BlockArrived
from mev_dagster.ingest.first_seen import FirstSeen
from mev_dagster.ingest.limits import MAX_RAW_BYTES, MAX_SIDECAR_BYTES, check_block, check_transaction, cut
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.node.identity import ChainPin
from mev_dagster.windows.canonical_chain import BlockRef, CanonicalChain
from mev_dagster.windows.memory import DecodedTransactions

KNOWN_HASHES = 262_144  # three hours of mainnet; a hash that comes back later is logged again, harmlessly
REJECTS_REMEMBERED = 16_384
REJECTED_RAW_BYTES = 4_096


class _Pending(NamedTuple):
    """A pending transaction and what it bids."""

    tx_hash: bytes
    fee_cap_wei: int
    tip_cap_wei: int

    def is_cheaper_than(self, other: "_Pending") -> bool:
        """Say whether this one bids less in both respects, as what was replaced must (geth, EIP-1559)."""
        return self.fee_cap_wei < other.fee_cap_wei and self.tip_cap_wei < other.tip_cap_wei


def _pending(transaction: Transaction) -> _Pending:
    price = transaction.gas_price_wei or 0
    cap, tip = transaction.max_fee_per_gas_wei, transaction.max_priority_fee_per_gas_wei
    return _Pending(transaction.hash, price if cap is None else cap, price if tip is None else tip)


class Pipeline:
    """Dedupes by hash, decodes, and turns blocks into the events they settle. No I/O, no clock."""

    def __init__(
        self,
        metrics: IngestMetrics,
        *,
        chain_id: int | None = None,
        decoded: DecodedTransactions | None = None,
        pin: ChainPin | None = None,
    ) -> None:
        self.chain = CanonicalChain()
        self._metrics = metrics
        self._pin = pin or ChainPin(chain_id=chain_id)
        self._decoded = decoded or DecodedTransactions()
        self._known: FIFOCache[bytes, None] = FIFOCache(KNOWN_HASHES)
        self._pending: FIFOCache[tuple[bytes, int], _Pending] = FIFOCache(KNOWN_HASHES)
        self._rejected: FIFOCache[bytes, None] = FIFOCache(REJECTS_REMEMBERED)
        self._first_seen = FirstSeen(metrics)

    def knows(self, tx_hash: bytes) -> bool:
        """Say whether the body of this hash is already in the log."""
        return tx_hash in self._known

    def accept(self, arrivals: Iterable[Arrival]) -> list[Event]:
        """Return the events to log for these arrivals, in order."""
        events: list[Event] = []
        for arrival in arrivals:
            events.extend(self._judge(arrival))
        return events

    def remember(self, tx_hash: bytes) -> None:
        """Count a hash as logged."""
        self._known[tx_hash] = None

    def restore(self, events: Iterable[Event]) -> None:
        """Take up where the log ends: its heads, its hashes, its pending transactions."""
        keys: dict[bytes, tuple[bytes, int]] = {}
        for event in events:
            if isinstance(event, TxBody):
                transaction = decode_transaction(event.raw, allow_high_s=True)
                keys[event.tx_hash] = (transaction.sender, transaction.nonce)
                self._known[event.tx_hash] = None
                known, new = self._pending.get(keys[event.tx_hash]), _pending(transaction)
                if known is None or not new.is_cheaper_than(known):
                    self._pending[keys[event.tx_hash]] = new
            elif isinstance(event, TxIncluded) and event.tx_hash in keys:
                self._pending.pop(keys[event.tx_hash], None)
            elif isinstance(event, TxRejected):
                self._rejected[event.digest] = None
            elif isinstance(event, BlockSeen | BlockReverted):
                self.chain.replay((event,))

    def _judge(self, arrival: Arrival) -> Iterator[Event]:
        if isinstance(arrival, TxBody):
            yield from self._body(arrival)
        elif isinstance(arrival, BlockArrived):
            yield from self._block(arrival)
        elif isinstance(arrival, TxRejected):
            yield from self._reject(arrival)
        elif isinstance(arrival, TxSeen):
            self._first_seen.saw(arrival)
            yield arrival
        else:
            yield replace(arrival, reason=cut(arrival.reason))

    def _body(self, body: TxBody) -> Iterator[Event]:
        if body.tx_hash in self._known:
            self._metrics.duplicates.labels(self._metrics.lane_label(body.lane, body.source)).inc()
            return
        transaction = self._decoded.find(body.tx_hash, body.raw)
        sidecar_bytes = 0
        try:
            if transaction is None:
                if len(body.raw) > MAX_RAW_BYTES + MAX_SIDECAR_BYTES:
                    raise DecodeError("too_large", f"a transaction of {len(body.raw)} bytes")
                consensus, sidecar_bytes = strip_sidecar(body.raw)
                # A capture may hold blocks from before Homestead, when a signature's s could be high.
                transaction = decode_transaction(consensus, allow_high_s=body.lane is Lane.CAPTURE)
            self._check(transaction, body)
        except DecodeError as error:
            yield from self._reject(_rejection(body, error))
            return
        self._metrics.sidecar_bytes.inc(sidecar_bytes)
        self._decoded.remember(transaction)
        self._known[transaction.hash] = None
        yield replace(body, raw=transaction.raw)
        yield from self._offered(transaction, body)

    def _check(self, transaction: Transaction, body: TxBody) -> None:
        if transaction.hash != body.tx_hash:
            raise DecodeError(
                "hash_mismatch", f"claimed {to_hex(body.tx_hash)}, the bytes give {to_hex(transaction.hash)}"
            )
        chain_id = self._pin.chain_id
        if chain_id is not None and transaction.chain_id not in (None, chain_id):
            raise DecodeError("wrong_chain_id", f"expected chain id {chain_id}, found {transaction.chain_id}")
        check_transaction(transaction)

    def _reject(self, rejected: TxRejected) -> Iterator[Event]:
        self._metrics.rejected.labels(rejected.reason).inc()
        if rejected.digest not in self._rejected:
            self._rejected[rejected.digest] = None
            yield replace(rejected, detail=cut(rejected.detail), raw=rejected.raw[:REJECTED_RAW_BYTES])

    def _offered(self, transaction: Transaction, body: TxBody) -> Iterator[Event]:
        """Say which of two pending transactions of one nonce displaced the other.

        A pool only takes one that bids more, so the cheaper came first wherever it was sent, however late
        a slow lane shows it here.
        """
        key, new = (transaction.sender, transaction.nonce), _pending(transaction)
        known = self._pending.get(key)
        if known is not None and new.is_cheaper_than(known):
            stamp = (UNLOGGED, body.wall_ns, body.mono_ns, body.lane, body.source)
            yield TxReplaced(*stamp, new.tx_hash, known.tx_hash)
            return
        yield from self._replacement(transaction, body)
        self._pending[key] = new

    def _replacement(self, transaction: Transaction, by: TxBody | BlockArrived) -> Iterator[Event]:
        old = self._pending.get((transaction.sender, transaction.nonce))
        if old is not None and old.tx_hash != transaction.hash:
            stamp = (UNLOGGED, by.wall_ns, by.mono_ns, by.lane, by.source)
            yield TxReplaced(*stamp, old.tx_hash, transaction.hash)

    def _block(self, arrived: BlockArrived) -> Iterator[Event]:
        block, header = arrived.block, arrived.block.header
        stamp = (UNLOGGED, arrived.wall_ns, arrived.mono_ns, arrived.lane)
        try:
            check_block(block)
        except DecodeError as error:
            yield LaneStatus(*stamp, arrived.source, LaneState.DROPPED, cut(str(error)), 1)
            return
        extension = self.chain.extend(BlockRef(header.number, block.hash), header.parent_hash)
        if extension.duplicate:
            return
        for reverted in extension.reverted:
            yield BlockReverted(*stamp, arrived.source, reverted.number, reverted.hash)
        if extension.missing:
            reason = f"no block between the last head and block {header.number}"
            yield LaneStatus(*stamp, arrived.source, LaneState.GAP, reason, extension.missing)
        for transaction in block.transactions:
            shown = transaction.hash in self._known
            self._metrics.included.labels("before" if shown else "in_block").inc()
            if not shown:
                self._known[transaction.hash] = None
                self._decoded.remember(transaction)
                yield TxBody(*stamp, arrived.source + FROM_BLOCK, transaction.hash, transaction.raw)
        for index, tx_hash in enumerate(block.transaction_hashes):
            yield TxIncluded(*stamp, arrived.source, tx_hash, header.number, block.hash, index)
        for transaction in block.transactions:
            yield from self._replacement(transaction, arrived)
            self._pending.pop((transaction.sender, transaction.nonce), None)
        self._metrics.reverted_blocks.inc(len(extension.reverted))
        self._metrics.missing_blocks.inc(extension.missing)
        self._metrics.head_block.set(header.number)
        yield BlockSeen(
            *stamp,
            arrived.source,
            header.number,
            block.hash,
            header.parent_hash,
            encode_header(header),
            block.transaction_hashes,
        )


def _rejection(body: TxBody, error: DecodeError) -> TxRejected:
    return TxRejected(
        UNLOGGED,
        body.wall_ns,
        body.mono_ns,
        body.lane,
        body.source,
        body.tx_hash or keccak(body.raw),
        error.reason,
        error.detail,
        body.raw[:REJECTED_RAW_BYTES],
    )
