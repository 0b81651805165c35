"""The listener: a service that hears announcements, fetches bodies and tells an observer. It never pushes."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from mev_dagster.devp2p.eth.messages import (
    BlockRangeUpdate,
    GetPooledTransactions,
    Message,
    NewPooledTransactionHashes,
    PooledTransactions,
    Transactions,
    message_name,
)
from mev_dagster.devp2p.eth.pooled import BLOB_TYPE, PooledTransaction
from mev_dagster.devp2p.fetcher import Delivery, Fetcher, FetchLimits
from mev_dagster.devp2p.hello import Reason
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import Peer
from mev_dagster.devp2p.responder import Headers, RecentTransactions, Responder, TokenBucket
from mev_dagster.devp2p.scoring import PeerScore
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

STALLED_NS = 30_000_000_000  # an answer this late will not come: the slot is worth more than the peer
RANGE_UPDATE_NS = 120_000_000_000
REQUEST_BURST, REQUESTS_PER_SECOND = 50, 10


class Observer(Protocol):
    """Who hears of transactions."""

    def announced(
        self, peer: Peer, announcement: NewPooledTransactionHashes, wall_ns: int, mono_ns: int
    ) -> None:
        """A peer announced hashes, in a frame read at this time."""
        ...

    def delivered(self, peer: Peer, transaction: PooledTransaction, wall_ns: int, mono_ns: int) -> bool:
        """Take a body that had not come before, hashed and not decoded, or say that there is no room.

        What found no room is asked for again later.
        """
        ...

    def peers_changed(self, count: int) -> None:
        """A peer joined or left."""
        ...

    def is_full(self) -> bool:
        """Say whether it wants to hear nothing for a moment."""
        ...


class Listener:
    """One mempool, heard through many peers."""

    def __init__(
        self,
        observer: Observer,
        clock: Clock,
        metrics: P2PMetrics,
        *,
        is_known: Callable[[bytes], bool] = lambda _: False,
        headers: Headers | None = None,
        served_range: Callable[[], BlockRangeUpdate | None] = lambda: None,
        limits: FetchLimits | None = None,
    ) -> None:
        self.recent = RecentTransactions()
        self.fetcher = Fetcher(is_known=is_known, limits=limits)
        self.scores: dict[str, PeerScore] = {}
        self._observer, self._clock, self._metrics = observer, clock, metrics
        self._served_range = served_range
        self._responder = Responder(self.recent, headers)
        self._peers: dict[str, Peer] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._range_told_ns = 0
        self._announcements = 0
        self._counted: dict[str, int] = {}
        metrics.in_flight.set_function(lambda: self.fetcher.in_flight)
        metrics.wanted.set_function(lambda: len(self.fetcher))

    # The network's side

    def joined(self, peer: Peer) -> None:
        """Begin to listen to a peer."""
        self._peers[peer.name] = peer
        self._buckets[peer.name] = TokenBucket(burst=REQUEST_BURST, per_second=REQUESTS_PER_SECOND)
        self.scores[peer.name] = PeerScore()
        self.fetcher.join(peer.name)
        self._observer.peers_changed(len(self._peers))

    def left(self, peer: Peer, reason: str) -> None:
        """Stop; what the peer was asked for goes to others."""
        del self._peers[peer.name], self._buckets[peer.name], self.scores[peer.name]
        self.fetcher.leave(peer.name)
        self._pump()
        self._observer.peers_changed(len(self._peers))

    def message(self, peer: Peer, message: Message, wall_ns: int, mono_ns: int) -> None:
        """Hear one message."""
        if isinstance(message, NewPooledTransactionHashes):
            self._announcements += 1  # published at the next tick: labels cost as much as the parsing
            self._announced(peer, message, wall_ns, mono_ns)
            return
        self._metrics.messages.labels("in", message_name(message)).inc()
        match message:
            case PooledTransactions():
                take = partial(self._take, peer, "pull", wall_ns, mono_ns)
                delivery = self.fetcher.answered(
                    peer.name, message.request_id, message.transactions, mono_ns, take=take
                )
                self._judge(peer, message, delivery, mono_ns)
                self._pump()
            case Transactions():
                self._pushed(peer, message, wall_ns, mono_ns)
            case _:
                self._answer(peer, message, mono_ns)

    def tick(self, now_ns: int) -> None:
        """Let stalled peers go, tell our block range now and then, publish counts."""
        for name in self.fetcher.overdue(now_ns, STALLED_NS):
            if (stalled := self._peers.get(name)) is not None:
                stalled.disconnect("request_stalled", Reason.TIMEOUT)
        if now_ns - self._range_told_ns > RANGE_UPDATE_NS and (update := self._served_range()):
            self._range_told_ns = now_ns
            for peer in list(self._peers.values()):
                if peer.version >= 69:
                    peer.send(update)
        self._publish_counts()

    def is_full(self) -> bool:
        """Ask the observer."""
        return self._observer.is_full()

    # What peers say

    def _announced(self, peer: Peer, message: NewPooledTransactionHashes, wall_ns: int, mono_ns: int) -> None:
        counts = self.fetcher.counts
        new, over_limit = counts["new"], counts["over_limit"]
        self._observer.announced(peer, message, wall_ns, mono_ns)
        self.fetcher.announced(peer.name, message.hashes, message.types, message.sizes, mono_ns)
        score = self.scores[peer.name]
        score.announced += len(message.hashes)
        score.first_seen += counts["new"] - new
        if excess := counts["over_limit"] - over_limit:
            self._blame(peer, "over_limit", mono_ns, excess)
        if counts["new"] != new:
            self._wake(mono_ns + self.fetcher.limits.slack_ns)

    def _judge(self, peer: Peer, answer: PooledTransactions, delivery: Delivery, now_ns: int) -> None:
        self._metrics.requests.labels(delivery.outcome).inc()
        if delivery.outcome != "unsolicited":
            self._metrics.fetch_seconds.observe(delivery.latency_ns / NS_PER_SECOND)
            score = self.scores[peer.name]
            score.responded(delivery.latency_ns / NS_PER_SECOND, delivery.asked, len(answer.transactions))
        for waited_ns in delivery.waited_ns:
            self._metrics.announce_to_payload.observe(waited_ns / NS_PER_SECOND)
        for kind in delivery.violations:
            self._blame(peer, kind, now_ns)

    def _pushed(self, peer: Peer, message: Transactions, wall_ns: int, mono_ns: int) -> None:
        if not message.transactions:
            return  # legal, and some clients do it before each announcement
        pushed = [tx for tx in message.transactions if tx.type != BLOB_TYPE]
        if len(pushed) < len(message.transactions):
            self._blame(peer, "pushed_blob", mono_ns)
        sighting = NewPooledTransactionHashes(
            bytes([tx.type for tx in pushed]),
            tuple([tx.size for tx in pushed]),
            tuple([tx.hash for tx in pushed]),
        )
        self._observer.announced(peer, sighting, wall_ns, mono_ns)
        take = partial(self._take, peer, "push", wall_ns, mono_ns)
        self.fetcher.pushed(peer.name, pushed, mono_ns, take=take)
        self._pump()

    def _take(self, peer: Peer, via: str, wall_ns: int, mono_ns: int, transaction: PooledTransaction) -> bool:
        if not self._observer.delivered(peer, transaction, wall_ns, mono_ns):
            return False
        self.recent.add(transaction)
        self._metrics.transactions.labels(str(min(transaction.type, 5)), via).inc()
        if transaction.type == BLOB_TYPE:
            self._metrics.sidecar_bytes.inc(transaction.sidecar_bytes)
        return True

    def _answer(self, peer: Peer, message: Message, now_ns: int) -> None:
        answer = self._responder.answer(message)
        if answer is None:
            return
        if self._buckets[peer.name].take(now_ns):
            peer.send(answer)
        else:
            self._blame(peer, "too_many_requests", now_ns)

    def _blame(self, peer: Peer, kind: str, now_ns: int, count: int = 1) -> None:
        self._metrics.violation(kind)
        score = self.scores.get(peer.name)
        if score is not None and score.blame(kind, now_ns, count):
            peer.disconnect(kind, Reason.PROTOCOL_BREACH)

    # Requests

    def _pump(self) -> None:
        """Send what is due and wake up for what is next."""
        now_ns = self._clock.mono_ns()
        for request in self.fetcher.due(now_ns):
            self._metrics.messages.labels("out", "GetPooledTransactions").inc()
            if (peer := self._peers.get(request.peer)) is not None:  # sending may have ended others
                peer.send(GetPooledTransactions(request.request_id, request.hashes))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        next_ns = self.fetcher.next_due_ns()
        if next_ns is not None:
            self._wake(next_ns)

    def _wake(self, at_ns: int) -> None:
        """Pump at this time, or earlier if that is planned already: announcements come by the thousand."""
        if self._timer is not None:
            if self._timer_ns <= at_ns:
                return
            self._timer.cancel()
        self._timer_ns = at_ns
        delay = max(0.0, (at_ns - self._clock.mono_ns()) / NS_PER_SECOND)
        self._timer = asyncio.get_running_loop().call_later(delay, self._pump)

    def _publish_counts(self) -> None:
        self._metrics.messages.labels("in", "NewPooledTransactionHashes").inc(self._announcements)
        self._announcements = 0
        for name, count in self.fetcher.counts.items():
            grown = count - self._counted.get(name, 0)
            self._counted[name] = count
            if name in ("new", "dup", "known", "over_limit", "unavailable"):
                self._metrics.announced.labels(name).inc(grown)
            elif name in ("requested", "hedged", "timeout"):
                self._metrics.requests.labels(name).inc(grown)
            elif name == "refused":
                self._metrics.refused_bodies.inc(grown)
