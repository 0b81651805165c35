"""Peers of every character around one fetcher, in virtual time: nothing here waits, everything repeats."""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.eth.pooled import BLOB_TYPE, PooledTransaction
from mev_dagster.devp2p.fetcher import Fetcher, FetchLimits, Request

MS = 1_000_000


def body(number: int, *, kind: int = 2, size: int = 300) -> PooledTransaction:
    raw = bytes((kind,)) + number.to_bytes(8, "big") + bytes(size - 9)
    return PooledTransaction(keccak(raw), kind, size, raw)


class Peer:
    """Honest and quick unless a subclass says otherwise: it has what it announces and sends all of it."""

    latency_ms = 40

    def __init__(self, name: str, pool: Sequence[PooledTransaction] = ()) -> None:
        self.name = name
        self.pool = {tx.hash: tx for tx in pool}

    def answer(self, request: Request, chance: random.Random) -> list[PooledTransaction] | None:
        return [self.pool[tx_hash] for tx_hash in request.hashes if tx_hash in self.pool]


class Silent(Peer):
    def answer(self, request, chance):
        return None


class Slow(Peer):
    latency_ms = 10_500


class Partial(Peer):
    """Sends a prefix, as a peer does whose answer is full."""

    def answer(self, request, chance):
        whole = super().answer(request, chance)
        return whole[: 1 + len(whole) // 3]


class Gappy(Peer):
    """Announces all, has every other."""

    def answer(self, request, chance):
        return super().answer(request, chance)[::2]


class Liar(Peer):
    """Sends other transactions than it was asked for, one of them twice."""

    def answer(self, request, chance):
        other = body(chance.randrange(10**9, 10**10))
        return [other, other]


class Empty(Peer):
    def answer(self, request, chance):
        return []


@dataclass
class World:
    """A fetcher, peers, and a heap of things to happen."""

    peers: Sequence[Peer]
    seed: int = 1
    limits: FetchLimits = field(default_factory=FetchLimits)
    known: set[bytes] = field(default_factory=set)
    has_room: Callable[[int], bool] = lambda now_ns: True

    def __post_init__(self) -> None:
        self.now = 0
        self.fetcher = Fetcher(is_known=self.known.__contains__, limits=self.limits)
        self.chance = random.Random(self.seed)
        self.delivered: dict[bytes, int] = {}
        self.requests: list[tuple[int, Request]] = []
        self.violations: list[tuple[str, str]] = []
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._by_name = {peer.name: peer for peer in self.peers}
        self._busy: set[str] = set()
        for peer in self.peers:
            self.fetcher.join(peer.name)

    def at(self, ms: float, happening: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self.now + int(ms * MS), self._order, happening))

    def announce(self, peer: Peer, transactions: Sequence[PooledTransaction], ms: float = 0) -> None:
        def happen() -> None:
            if peer.name in self._by_name:
                hashes = [tx.hash for tx in transactions]
                types = bytes(tx.type for tx in transactions)
                sizes = [tx.size for tx in transactions]
                self.fetcher.announced(peer.name, hashes, types, sizes, self.now)

        self.at(ms, happen)

    def leave(self, peer: Peer, ms: float) -> None:
        def happen() -> None:
            del self._by_name[peer.name]
            self.fetcher.leave(peer.name)

        self.at(ms, happen)

    def run(self, seconds: float = 60) -> None:
        end = self.now + int(seconds * 1e9)
        while True:
            due = self.fetcher.next_due_ns()
            times = [self._heap[0][0]] if self._heap else []
            times += [max(due, self.now)] if due is not None else []
            if not times or min(times) > end:
                return
            self.now = max(self.now, min(times))
            while self._heap and self._heap[0][0] <= self.now:
                heapq.heappop(self._heap)[2]()
            for request in self.fetcher.due(self.now):
                self._send(request)

    def _send(self, request: Request) -> None:
        self.check(request)
        self.requests.append((self.now, request))
        peer = self._by_name[request.peer]
        answer = peer.answer(request, self.chance)
        if answer is not None:
            self.at(peer.latency_ms * self.chance.uniform(0.5, 1.5), lambda: self._answer(request, answer))

    def _answer(self, request: Request, answer: list[PooledTransaction]) -> None:
        if request.peer not in self._by_name:
            return
        self._busy.discard(request.peer)
        delivery = self.fetcher.answered(
            request.peer, request.request_id, answer, self.now, take=lambda _: self.has_room(self.now)
        )
        self.violations += [(request.peer, kind) for kind in delivery.violations]
        for tx in delivery.accepted:
            assert tx.hash not in self.delivered, "delivered twice"
            self.delivered[tx.hash] = self.now

    def check(self, request: Request) -> None:
        """What holds for every request, whoever it goes to."""
        assert request.peer not in self._busy, "two requests in flight at one peer"
        self._busy.add(request.peer)
        assert 0 < len(request.hashes) <= self.limits.hashes
        assert len(set(request.hashes)) == len(request.hashes)
        assert not self.known & set(request.hashes), "asked for what is known"
        assert not self.delivered.keys() & set(request.hashes), "asked for what was delivered"
        pool = self._by_name[request.peer].pool
        found = [pool[tx_hash] for tx_hash in request.hashes if tx_hash in pool]
        if any(tx.type == BLOB_TYPE for tx in found):
            assert len(request.hashes) == 1
        elif len(request.hashes) > 1:
            assert sum(tx.size for tx in found) <= self.limits.announced_bytes
