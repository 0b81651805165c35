"""Which peer is asked for which transaction, and when. No socket and no clock: the caller tells the time.

    announced ──▶ waiting ──▶ asked of one peer ──▶ delivered
                     ▲              │ 1.5 s without an answer: also asked of another (hedge)
                     └──────────────┘ not there, peer gone, 5 s: asked of another

A hash is remembered for as long as some peer that announced it may still deliver it, and forgotten when it
was delivered or every such peer has failed: so none is lost while one honest peer has it. A body that the
receiver had no room for was not delivered: it is asked for again, of the same peer or of another.

A peer has one request in flight; one that let five seconds pass keeps that slot taken until it answers or
goes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cachetools import FIFOCache

from mev_dagster.devp2p.eth.pooled import BLOB_TYPE, PooledTransaction
from mev_dagster.units import NS_PER_MS


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The numbers of the trade; geth and reth use the same counts and bytes."""

    slack_ns: int = 10 * NS_PER_MS  # waited after a first announcement, so that a burst is one request
    hedge_ns: int = 1_500 * NS_PER_MS
    timeout_ns: int = 5_000 * NS_PER_MS
    refused_ns: int = 250 * NS_PER_MS  # waited after a body found no room, so that some can be made
    hashes: int = 256
    announced_bytes: int = 128 * 1024
    offers_per_peer: int = 8_192  # announced and not settled; more of one peer is not remembered
    settled: int = 65_536  # hashes remembered as done while the log takes them up
    size_slack: int = 8  # how far an announced size may be off (what geth tolerates)


Take = Callable[[PooledTransaction], bool]


def _take_all(_: PooledTransaction) -> bool:
    """There is always room."""
    return True


class Request(NamedTuple):
    """Ask `peer` for `hashes` under this id."""

    peer: str
    request_id: int
    hashes: tuple[bytes, ...]
    hedged: bool


@dataclass(slots=True)
class Delivery:
    """What an answer was worth."""

    accepted: list[PooledTransaction] = field(default_factory=list)
    waited_ns: list[int] = field(default_factory=list)  # of the accepted, since they were first announced
    refused: int = 0  # bodies without room, still wanted
    violations: list[str] = field(default_factory=list)
    outcome: str = "ok"  # ok, partial, empty, late, unsolicited
    asked: int = 0
    latency_ns: int = 0


@dataclass(slots=True, eq=False)
class _Wanted:
    """One hash: who announced it (type, size), who was asked and is not done, and whether it waits."""

    since_ns: int
    ready_ns: int  # not asked for before
    announcers: dict[str, tuple[int, int]] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    open: int = 0  # requests that may still bring it
    fresh: int = 0  # of those, younger than the hedge
    waiting: bool = False


@dataclass(slots=True, eq=False)
class _OpenRequest:
    """A request that has not been answered."""

    request_id: int
    peer: str
    hashes: tuple[bytes, ...]
    wanted: tuple[_Wanted, ...]
    sent_ns: int
    fresh: bool = True
    timed_out: bool = False


@dataclass(slots=True, eq=False)
class _Peer:
    """`offers` it made and are not settled; those of them that wait for a request, oldest first."""

    offers: set[bytes] = field(default_factory=set)
    waiting: dict[bytes, _Wanted] = field(default_factory=dict)
    request: _OpenRequest | None = None


class Fetcher:
    """The schedule of all requests to all peers."""

    def __init__(
        self, *, is_known: Callable[[bytes], bool] = lambda _: False, limits: FetchLimits | None = None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._is_known = is_known
        self.limits = limits or FetchLimits()
        self._wanted: dict[bytes, _Wanted] = {}
        self._settled: FIFOCache[bytes, None] = FIFOCache(self.limits.settled)
        self._peers: dict[str, _Peer] = {}
        self._requests: dict[int, _OpenRequest] = {}  # by id, and so by age
        self._next_id = 1

    def __len__(self) -> int:
        return len(self._wanted)

    @property
    def in_flight(self) -> int:
        """Requests without an answer."""
        return len(self._requests)

    # What peers do

    def join(self, peer: str) -> None:
        """A peer can be asked from now on."""
        self._peers[peer] = _Peer()

    def leave(self, peer: str) -> None:
        """A peer is gone; what it was asked for goes to others that announced it."""
        state = self._peers.pop(peer, None)
        if state is None:
            return
        if state.request is not None:
            self._close(state.request)
        for tx_hash in state.offers:
            self._withdraw(tx_hash, self._wanted[tx_hash], peer)

    def announced(
        self, peer: str, hashes: Sequence[bytes], types: bytes, sizes: Sequence[int], now_ns: int
    ) -> None:
        """A peer says that it has transactions; outcomes are counted as new, dup, known or over_limit."""
        state = self._peers[peer]
        counts, wanted_by_hash, settled, is_known = self.counts, self._wanted, self._settled, self._is_known
        offers, limit = state.offers, self.limits.offers_per_peer
        known = 0
        for tx_hash, kind, size in zip(hashes, types, sizes, strict=True):
            wanted = wanted_by_hash.get(tx_hash)
            if wanted is None and (tx_hash in settled or is_known(tx_hash)):
                known += 1
                continue
            if tx_hash in offers:
                counts["dup"] += 1
                continue
            if len(offers) >= limit:
                counts["over_limit"] += 1
                continue
            if wanted is None:
                ready_ns = now_ns + self.limits.slack_ns
                wanted = wanted_by_hash[tx_hash] = _Wanted(now_ns, ready_ns, waiting=True)
                counts["new"] += 1
            else:
                counts["dup"] += 1
                wanted.waiting = wanted.waiting or not wanted.fresh
            offers.add(tx_hash)
            wanted.announcers[peer] = (kind, size)
            if wanted.waiting:
                state.waiting[tx_hash] = wanted
        counts["known"] += known

    def answered(
        self,
        peer: str,
        request_id: int,
        transactions: Sequence[PooledTransaction],
        now_ns: int,
        *,
        take: Take = _take_all,
    ) -> Delivery:
        """A peer answered. What it brought unasked or in disagreement with its announcement is named.

        `take` is handed each new body and says whether there was room for it.
        """
        request = self._requests.get(request_id)
        if request is None or request.peer != peer:
            self.counts["unsolicited"] += 1
            return Delivery(violations=["unsolicited_answer"], outcome="unsolicited")
        delivery = Delivery(asked=len(request.hashes), latency_ns=now_ns - request.sent_ns)
        positions = {tx_hash: index for index, tx_hash in enumerate(request.hashes)}
        delivered: set[bytes] = set()
        last = -1
        for transaction in transactions:
            position = positions.get(transaction.hash)
            if position is None:
                delivery.violations.append("unrequested_transaction")
            elif transaction.hash in delivered:
                delivery.violations.append("repeated_transaction")
            else:
                delivered.add(transaction.hash)
                last = max(last, position)
                self._accept(peer, transaction, delivery, now_ns, take)
        self._close(request)
        self._peers[peer].request = None
        for index, (tx_hash, wanted) in enumerate(zip(request.hashes, request.wanted, strict=True)):
            if self._wanted.get(tx_hash) is not wanted:
                continue
            if tx_hash in delivered:
                self._put_off(peer, tx_hash, wanted, now_ns)
            else:
                self._missing(peer, tx_hash, wanted, cut_off=bool(delivered) and index > last)
        delivery.outcome = _outcome(len(delivered), len(request.hashes), late=request.timed_out)
        self.counts[delivery.outcome] += 1
        return delivery

    def pushed(
        self,
        peer: str,
        transactions: Iterable[PooledTransaction],
        now_ns: int,
        *,
        take: Take = _take_all,
    ) -> list[PooledTransaction]:
        """A peer sent transactions without being asked, which the protocol allows; return the new ones.

        One without room counts as announced: the peer has it, and can be asked for it.
        """
        new = []
        for transaction in transactions:
            tx_hash = transaction.hash
            if self._is_done(tx_hash):
                continue
            if take(transaction):
                self.settle(tx_hash)
                new.append(transaction)
                continue
            self.counts["refused"] += 1
            self.announced(peer, (tx_hash,), bytes((transaction.type,)), (transaction.size,), now_ns)
            if (wanted := self._wanted.get(tx_hash)) is not None:
                wanted.ready_ns = now_ns + self.limits.refused_ns
        return new

    def settle(self, tx_hash: bytes) -> None:
        """A hash needs no fetching any more: its body came, from here or from elsewhere."""
        self._settled[tx_hash] = None
        self._forget(tx_hash)

    # What time does

    def due(self, now_ns: int) -> list[Request]:
        """Return the requests to send now; each is in flight from here on."""
        self._age(now_ns)
        requests = []
        for name, state in self._peers.items():
            if state.request is None and state.waiting:
                oldest = next(iter(state.waiting.values()))
                if oldest.ready_ns <= now_ns and (request := self._ask(name, state, now_ns)):
                    requests.append(request)
        return requests

    def next_due_ns(self) -> int | None:
        """Return when `due` will next have something to do, as far as can be told now."""
        times = [
            next(iter(state.waiting.values())).ready_ns
            for state in self._peers.values()
            if state.request is None and state.waiting
        ]
        for request in self._requests.values():
            if request.fresh:
                times.append(request.sent_ns + self.limits.hedge_ns)
            elif not request.timed_out:
                times.append(request.sent_ns + self.limits.timeout_ns)
        return min(times, default=None)

    def overdue(self, now_ns: int, allowed_ns: int) -> list[str]:
        """Return the peers whose oldest request has been open for longer than allowed."""
        return [request.peer for request in self._requests.values() if now_ns - request.sent_ns > allowed_ns]

    def _age(self, now_ns: int) -> None:
        limits = self.limits
        for request in self._requests.values():  # oldest first
            age = now_ns - request.sent_ns
            if age < limits.hedge_ns:
                break
            if request.fresh:
                request.fresh = False
                for wanted in request.wanted:
                    wanted.fresh -= 1
                self._offer_all_again(request)
            if age >= limits.timeout_ns and not request.timed_out:
                request.timed_out = True
                self.counts["timeout"] += 1
                self._offer_all_again(request)

    def _ask(self, name: str, state: _Peer, now_ns: int) -> Request | None:
        hashes = self._pack(name, state)
        asked = tuple([self._wanted[tx_hash] for tx_hash in hashes])
        request = _OpenRequest(self._next_id, name, hashes, asked, now_ns)
        self._next_id += 1
        self._requests[request.request_id] = request
        state.request = request
        hedged = False
        for tx_hash, wanted in zip(hashes, asked, strict=True):
            hedged = hedged or wanted.open > 0
            wanted.tried.add(name)
            wanted.open += 1
            wanted.fresh += 1
            wanted.waiting = False
            for announcer in wanted.announcers:
                self._peers[announcer].waiting.pop(tx_hash, None)
        self.counts["hedged" if hedged else "requested"] += 1
        return Request(name, request.request_id, hashes, hedged)

    def _pack(self, name: str, state: _Peer) -> tuple[bytes, ...]:
        """Take hashes up to both limits; a blob transaction goes alone, whatever its announced size."""
        packed: list[bytes] = []
        size = 0
        for tx_hash, wanted in state.waiting.items():
            kind, announced = wanted.announcers[name]
            if kind == BLOB_TYPE:
                if packed:
                    continue
                return (tx_hash,)
            size += announced
            if packed and size > self.limits.announced_bytes:
                break
            packed.append(tx_hash)
            if len(packed) == self.limits.hashes:
                break
        return tuple(packed)

    # One hash at a time

    def _accept(
        self, peer: str, transaction: PooledTransaction, delivery: Delivery, now_ns: int, take: Take
    ) -> None:
        wanted = self._wanted.get(transaction.hash)
        if wanted is None:
            return  # a hedge was faster, or it came by another way
        kind, size = wanted.announcers.get(peer, (transaction.type, transaction.size))
        if kind != transaction.type:
            delivery.violations.append("wrong_type")
        elif abs(size - transaction.size) > self.limits.size_slack:
            delivery.violations.append("wrong_size")
        if not take(transaction):
            self.counts["refused"] += 1
            delivery.refused += 1
            return
        self.settle(transaction.hash)
        delivery.accepted.append(transaction)
        delivery.waited_ns.append(now_ns - wanted.since_ns)

    def _put_off(self, peer: str, tx_hash: bytes, wanted: _Wanted, now_ns: int) -> None:
        """Ask again later for a body that had no room: the peer has it, it did nothing wrong."""
        wanted.tried.discard(peer)
        wanted.ready_ns = now_ns + self.limits.refused_ns
        self._offer_again(tx_hash, wanted)

    def _missing(self, peer: str, tx_hash: bytes, wanted: _Wanted, *, cut_off: bool) -> None:
        if cut_off:  # behind the last one delivered: the answer was full, not the peer empty
            wanted.tried.discard(peer)
            self._offer_again(tx_hash, wanted)
            return
        self._peers[peer].offers.discard(tx_hash)
        self._withdraw(tx_hash, wanted, peer)

    def _withdraw(self, tx_hash: bytes, wanted: _Wanted, peer: str) -> None:
        """`peer` will not deliver this hash; without another that might, it is forgotten."""
        wanted.announcers.pop(peer, None)
        wanted.tried.discard(peer)
        self._offer_again(tx_hash, wanted)
        if not wanted.waiting and not wanted.open:
            self.counts["unavailable"] += 1
            self._forget(tx_hash)

    def _forget(self, tx_hash: bytes) -> None:
        wanted = self._wanted.pop(tx_hash, None)
        for peer in wanted.announcers if wanted is not None else ():
            state = self._peers[peer]
            state.offers.discard(tx_hash)
            state.waiting.pop(tx_hash, None)

    def _is_done(self, tx_hash: bytes) -> bool:
        return tx_hash in self._settled or self._is_known(tx_hash)

    def _offer_all_again(self, request: _OpenRequest) -> None:
        for tx_hash, wanted in zip(request.hashes, request.wanted, strict=True):
            if self._wanted.get(tx_hash) is wanted:
                self._offer_again(tx_hash, wanted)

    def _offer_again(self, tx_hash: bytes, wanted: _Wanted) -> None:
        """Let a hash wait for every announcer not yet tried, unless a young request is still out for it."""
        if wanted.fresh:
            return
        wanted.waiting = False
        for peer in wanted.announcers:
            if peer not in wanted.tried:
                wanted.waiting = True
                self._peers[peer].waiting[tx_hash] = wanted

    def _close(self, request: _OpenRequest) -> None:
        del self._requests[request.request_id]
        for wanted in request.wanted:
            wanted.open -= 1
            wanted.fresh -= request.fresh


def _outcome(delivered: int, asked: int, *, late: bool) -> str:
    if late:
        return "late"
    if delivered == 0:
        return "empty"
    return "ok" if delivered == asked else "partial"
