"""Pending transactions of one node: full bodies where it offers them, else hashes and a bounded fetch."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from mev_dagster.chain.jsonrpc import transaction_from_rpc
from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import DecodeError, NodeAnswerError
from mev_dagster.events.types import Lane, TxBody, TxRejected, TxSeen
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.tasks import run_until_one_ends
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import Clock
from mev_dagster.windows.memory import DecodedTransactions

FETCH_BACKLOG = 8_192  # announced hashes waiting for their body; more is dropped and counted
FETCHERS = 32  # requests in flight
REJECTED_JSON_BYTES = 4_096
YIELD_EVERY = 32  # a mainnet pool takes seconds to decode; heads must not wait for it
TXPOOL_SOURCE = "/txpool"


class _Hashed(msgspec.Struct):
    hash: str = ""


_decode_hash = msgspec.json.Decoder(_Hashed).decode


class PendingWatch:
    """Turns one node's pending notifications into sightings and bodies on the queue."""

    def __init__(
        self,
        node: NodeConnection,
        queue: ArrivalQueue,
        source: str,
        *,
        clock: Clock,
        knows: Callable[[bytes], bool],
        decoded: DecodedTransactions,
    ) -> None:
        self.lost = False  # something was refused by a full queue since the last resync
        self._node, self._queue, self._source = node, queue, source
        self._clock, self._knows, self._decoded = clock, knows, decoded
        self._wanted: asyncio.Queue[bytes] = asyncio.Queue(FETCH_BACKLOG)
        self._raw_by_hash = True

    async def subscribe(self) -> None:
        """Ask for full bodies; a node that refuses the flag is asked for hashes."""
        try:
            await self._node.subscribe("newPendingTransactions", True, notified=self.notified)
        except NodeAnswerError:
            await self._node.subscribe("newPendingTransactions", notified=self.notified)

    def notified(self, raw: msgspec.Raw, wall_ns: int, mono_ns: int) -> None:
        """Take one notification, a hash or a whole transaction, as it comes off the socket."""
        try:
            full_body = bytes(memoryview(raw)[:1]) == b"{"
            tx_hash = _hash(_decode_hash(raw).hash if full_body else msgspec.json.decode(raw))
        except (msgspec.DecodeError, DecodeError) as error:
            self._offer(self._rejected(bytes(raw), DecodeError("bad_notification", str(error))))
            return
        stamp = (UNLOGGED, wall_ns, mono_ns, Lane.RPC, self._source, tx_hash)
        self._offer(TxSeen(*stamp))
        if self._knows(tx_hash):
            return
        if full_body:
            self._offer(self._body(msgspec.json.decode(raw), self._source, wall_ns, mono_ns))
            return
        try:
            self._wanted.put_nowait(tx_hash)
        except asyncio.QueueFull:
            self._queue.drop(Lane.RPC, self._source, "fetch_backlog")
            self.lost = True

    async def fetch_bodies(self) -> None:
        """Fetch the bodies of announced hashes, many at a time, until cancelled."""
        await run_until_one_ends(*(self._fetch_each() for _ in range(FETCHERS)))

    async def resync(self) -> int | None:
        """Queue what the node's pool holds and the log does not; None when the node has no txpool API."""
        try:
            pool = await self._node.call("txpool_content")
        except NodeAnswerError:
            return None
        self.lost = False
        wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        count = 0
        source = self._source + TXPOOL_SOURCE
        for index, obj in enumerate(_pool_transactions(pool)):
            if index % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if self._is_known(obj):
                continue
            body = self._body(obj, source, wall_ns, mono_ns)
            if isinstance(body, TxBody):
                await self._queue.put(TxSeen(UNLOGGED, wall_ns, mono_ns, Lane.RPC, source, body.tx_hash))
                count += 1
            await self._queue.put(body)
        return count

    def _is_known(self, obj: Any) -> bool:
        try:
            return self._knows(_hash(obj["hash"]))
        except (DecodeError, KeyError, TypeError):
            return False  # whatever it is, decoding will say

    async def _fetch_each(self) -> None:
        while True:
            tx_hash = await self._wanted.get()
            if self._knows(tx_hash):
                continue
            try:
                body = await self._fetch(tx_hash)
            except NodeAnswerError:
                self._queue.drop(Lane.RPC, self._source, "body_refused")
                continue
            if body is None:
                self._queue.drop(Lane.RPC, self._source, "body_gone")
            else:
                self._offer(body)

    async def _fetch(self, tx_hash: bytes) -> TxBody | TxRejected | None:
        if self._raw_by_hash:
            try:
                raw = await self._node.call("eth_getRawTransactionByHash", to_hex(tx_hash))
            except NodeAnswerError:
                self._raw_by_hash = False
            else:
                return self._raw_body(tx_hash, raw) if raw else None
        obj = await self._node.call("eth_getTransactionByHash", to_hex(tx_hash))
        if obj is None:
            return None
        return self._body(obj, self._source, self._clock.wall_ns(), self._clock.mono_ns())

    def _raw_body(self, tx_hash: bytes, raw: Any) -> TxBody | TxRejected:
        try:
            data = from_hex(raw)
        except ValueError:
            offered = msgspec.json.encode(raw)
            return self._rejected(offered, DecodeError("bad_hex", "raw transaction: expected 0x-hex"))
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), Lane.RPC, self._source)
        return TxBody(*stamp, tx_hash, data)

    def _body(self, obj: Any, source: str, wall_ns: int, mono_ns: int) -> TxBody | TxRejected:
        try:
            if not isinstance(obj, dict):
                raise DecodeError("bad_json_field", "transaction: expected an object")
            transaction = transaction_from_rpc(obj)
        except DecodeError as error:
            return self._rejected(msgspec.json.encode(obj), error)
        self._decoded.remember(transaction)
        return TxBody(UNLOGGED, wall_ns, mono_ns, Lane.RPC, source, transaction.hash, transaction.raw)

    def _rejected(self, offered: bytes, error: DecodeError) -> TxRejected:
        return TxRejected(
            UNLOGGED,
            self._clock.wall_ns(),
            self._clock.mono_ns(),
            Lane.RPC,
            self._source,
            keccak(offered),
            error.reason,
            error.detail,
            offered[:REJECTED_JSON_BYTES],
        )

    def _offer(self, arrival: TxSeen | TxBody | TxRejected) -> None:
        if not self._queue.offer(arrival):
            self.lost = True


def _hash(text: Any) -> bytes:
    try:
        return from_hex(text, 32)
    except ValueError:
        raise DecodeError("bad_notification", f"expected a 32-byte hash, found {str(text)[:80]!r}") from None


def _pool_transactions(pool: Any) -> Iterable[Any]:
    """Yield the transactions of a txpool_content answer: {pending|queued: {sender: {nonce: tx}}}."""
    if not isinstance(pool, dict):
        raise NodeAnswerError(f"txpool_content: expected an object, found {type(pool).__name__}")
    for part in ("pending", "queued"):
        senders = pool.get(part) or {}
        if not isinstance(senders, dict) or not all(isinstance(item, dict) for item in senders.values()):
            raise NodeAnswerError(f"txpool_content: {part}: expected transactions by sender and nonce")
        for by_nonce in senders.values():
            yield from by_nonce.values()
