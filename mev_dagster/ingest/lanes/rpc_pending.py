"""Pending transactions of one node: full bodies where it offers them, else hashes, fetched until had."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from cachetools import FIFOCache

from mev_dagster.chain.jsonrpc import transaction_from_rpc
from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import (
    DecodeError,
    NodeAnswerError,
    NodeMethodMissing,
    NodeRateLimited,
    NodeTimeout,
    NodeUnreachable,
)
from mev_dagster.events.types import Lane, TxBody, TxRejected, TxSeen
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.lanes.wanted import WantedBodies
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.tasks import run_until_one_ends
from mev_dagster.node.envelope import UNREADABLE
from mev_dagster.node.link import NodeLink
from mev_dagster.node.pace import Pace
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.memory import DecodedTransactions

FETCHERS = 32  # requests in flight
FETCH_SECONDS = 5.0  # one unanswered call among many holds one of them that long
LONGEST_WAIT_SECONDS = 1.0
HASHES_REMEMBERED = 131_072
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
        node: NodeLink,
        queue: ArrivalQueue,
        source: str,
        *,
        clock: Clock,
        knows: Callable[[bytes], bool],
        decoded: DecodedTransactions,
        wanted: WantedBodies | None = None,
        pace: Pace | None = None,
        elsewhere: Callable[[], Sequence[NodeLink]] = lambda: (),
    ) -> None:
        self._elsewhere = elsewhere
        self.lost = False  # something was refused by a full queue since the last resync
        self.given_up = False  # the node ended the subscription
        self.subscribed = False
        self.notified_ns = clock.mono_ns()
        self._node, self._queue, self._source = node, queue, source
        self._clock, self._knows, self._decoded = clock, knows, decoded
        self._wanted = wanted if wanted is not None else WantedBodies(knows)
        self._pace = pace or Pace()
        self._sighted: FIFOCache[bytes, None] = FIFOCache(HASHES_REMEMBERED)
        self._asking: set[bytes] = set()
        self._ready: asyncio.Queue[bytes] = asyncio.Queue(FETCHERS)
        self._wake = asyncio.Event()
        self._raw_by_hash = True
        self._subscription: str | None = None

    async def subscribe(self) -> None:
        """Ask for full bodies; a node that refuses the flag is asked for hashes, else for its pool alone."""
        if self._subscription is not None:
            await self._node.unsubscribe(self._subscription)
        for flags in ((True,), ()):
            try:
                self._subscription = await self._node.subscribe(
                    "newPendingTransactions", *flags, notified=self.notified, ended=self._ended
                )
            except NodeAnswerError:
                self.subscribed = False
            else:
                self.subscribed, self.given_up = True, False
                return

    def notified(self, raw: msgspec.Raw, wall_ns: int, mono_ns: int) -> None:
        """Take one notification, a hash or a whole transaction, as it comes off the socket."""
        self.notified_ns = mono_ns
        try:
            full_body = bytes(memoryview(raw)[:1]) == b"{"
            tx_hash = _hash(_decode_hash(raw).hash if full_body else msgspec.json.decode(raw))
            body = msgspec.json.decode(raw) if full_body and not self._knows(tx_hash) else None
        except (*UNREADABLE, DecodeError) as error:
            self._offer(self._rejected(bytes(raw), DecodeError("bad_notification", str(error))))
            return
        self._sighted[tx_hash] = None
        self._offer(TxSeen(UNLOGGED, wall_ns, mono_ns, Lane.RPC, self._source, tx_hash))
        if self._knows(tx_hash):
            return
        if body is not None:
            self._offer(self._body(body, self._source, wall_ns, mono_ns))
        elif self._wanted.want(tx_hash, self._clock.mono_ns()):
            self._wake.set()
        else:
            self._queue.drop(Lane.RPC, self._source, "fetch_backlog")
            self.lost = True

    async def fetch_bodies(self) -> None:
        """Fetch the bodies of announced hashes, many at a time, until cancelled."""
        await run_until_one_ends(self._schedule(), *(self._fetch_each() for _ in range(FETCHERS)))

    def unseen(self, pool: Iterable[Any]) -> list[Any]:
        """Return what a pool holds that is not in the log."""
        return [obj for obj in pool if not self._is(obj, self._knows)]

    async def take_pool(self, pool: Iterable[Any]) -> int:
        """Queue transactions found in the node's pool; return how many of them it never announced here."""
        self.lost = False
        wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        count = 0
        for index, obj in enumerate(pool):
            if index % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if self._is(obj, self._knows):
                continue
            announced = self._is(obj, self._sighted.__contains__)
            source = self._source if announced else self._source + TXPOOL_SOURCE
            body = self._body(obj, source, wall_ns, mono_ns)
            if isinstance(body, TxBody) and not announced:
                self._sighted[body.tx_hash] = None
                await self._queue.put(TxSeen(UNLOGGED, wall_ns, mono_ns, Lane.RPC, source, body.tx_hash))
                count += 1
            await self._queue.put(body)
        return count

    @staticmethod
    def _is(obj: Any, found: Callable[[bytes], bool]) -> bool:
        try:
            return found(_hash(obj["hash"]))
        except (DecodeError, KeyError, TypeError):
            return False  # whatever it is, decoding will say

    def _ended(self, _: NodeAnswerError) -> None:
        self.given_up = True

    async def _schedule(self) -> None:
        while True:
            now_ns = self._clock.mono_ns()
            expired = self._wanted.expired
            for tx_hash in self._wanted.due(now_ns, FETCHERS):
                if tx_hash not in self._asking:
                    await self._ready.put(tx_hash)
            if self._wanted.expired > expired:
                self._queue.drop(Lane.RPC, self._source, "body_gone", self._wanted.expired - expired)
            due_ns = self._wanted.next_due_ns()
            wait = LONGEST_WAIT_SECONDS
            if due_ns is not None:
                wait = min(wait, (due_ns - self._clock.mono_ns()) / NS_PER_SECOND)
            if wait <= 0:
                await asyncio.sleep(0)
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _fetch_each(self) -> None:
        while True:
            tx_hash = await self._ready.get()
            if self._knows(tx_hash):
                continue
            wait_ns = self._pace.wait_ns(self._clock.mono_ns())
            if wait_ns > 0:
                await self._clock.sleep(wait_ns / NS_PER_SECOND)
            self._asking.add(tx_hash)
            try:
                body = await self._fetch(tx_hash)
            except NodeRateLimited as error:
                now_ns = self._clock.mono_ns()
                self._pace.refused(now_ns, error.retry_after_seconds)
                self._wanted.put_off(tx_hash, now_ns)
                self._wake.set()
                await self._offer_elsewhere(tx_hash)
            except (NodeAnswerError, NodeTimeout):
                await self._offer_elsewhere(tx_hash)  # else it stays wanted
            else:
                self._pace.answered()
                if body is not None:
                    self._offer(body)
                elif self._wanted.attempts(tx_hash) > 1:  # once is a pool that indexes after it announces
                    await self._offer_elsewhere(tx_hash)
            finally:
                self._asking.discard(tx_hash)

    async def _offer_elsewhere(self, tx_hash: bytes) -> None:
        """Ask the other nodes for a body that the one which announced it does not give."""
        for node in self._elsewhere():
            try:
                obj = await node.call(
                    "eth_getTransactionByHash", to_hex(tx_hash), timeout_seconds=FETCH_SECONDS
                )
            except (NodeAnswerError, NodeTimeout, NodeUnreachable):
                continue
            if obj is None or self._knows(tx_hash):
                continue
            body = self._body(obj, self._source, self._clock.wall_ns(), self._clock.mono_ns())
            if isinstance(body, TxBody) and body.tx_hash == tx_hash:
                self._offer(body)
                return

    async def _fetch(self, tx_hash: bytes) -> TxBody | TxRejected | None:
        """Return a body, None where the node does not have it now."""
        if self._raw_by_hash:
            try:
                raw = await self._call("eth_getRawTransactionByHash", tx_hash)
            except NodeMethodMissing:
                self._raw_by_hash = False
            except NodeRateLimited:
                raise
            except NodeAnswerError:
                pass  # some hold back blob transactions in this form, and not in the other
            else:
                return self._raw_body(tx_hash, raw) if raw not in (None, "", "0x") else None
        obj = await self._call("eth_getTransactionByHash", tx_hash)
        if obj is None:
            return None
        return self._body(obj, self._source, self._clock.wall_ns(), self._clock.mono_ns())

    async def _call(self, method: str, tx_hash: bytes) -> Any:
        return await self._node.call(method, to_hex(tx_hash), timeout_seconds=FETCH_SECONDS)

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
