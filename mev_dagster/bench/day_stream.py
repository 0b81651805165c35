"""A day of a mempool, made up: two million self-signed transactions, seen over three lanes, in 7,200 slots.

The same every time: transactions come in chunks that each have a seed of their own, so that any number of
processes can sign them; delays come from the hashes. Every arrival is marked synthetic. A block holds what
was pending at the slot before, and a few transactions that nobody had seen. Roots in headers are zero: only
an engine would look at them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

from mev_dagster.bench.transactions import generate
from mev_dagster.chain.blocks import Block, Header, header_hash
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.events.types import Lane, TxBody, TxSeen
from mev_dagster.ingest.arrivals import UNLOGGED, Arrival, BlockArrived
from mev_dagster.units import GWEI, NS_PER_MS, NS_PER_SECOND
from mev_dagster.windows.memory import DecodedTransactions

TRANSACTIONS = 2_000_000
SLOTS = 7_200
SECONDS_PER_SLOT = 12
START_SECONDS = 1_767_225_600  # 2026-01-01, the day is of no consequence
FIRST_BLOCK = 24_136_000
SENDERS = 4_000
SLOTS_PER_CHUNK = 10
PEERS = 50
UNSEEN_PER_MILLE = 30
"""How many transactions only their block brings."""

_NONCES_PER_CHUNK = 1_000  # more than a sender signs in one chunk, so that no nonce comes twice
_EMPTY = bytes(32)
_GENESIS = Header(
    *(_EMPTY, _EMPTY, bytes(20), _EMPTY, _EMPTY, _EMPTY, bytes(256), 0, FIRST_BLOCK - 1, 45_000_000, 0),
    *(START_SECONDS - SECONDS_PER_SLOT, b"synthetic", _EMPTY, bytes(8), GWEI),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """So many transactions over so many slots, at the day's rate."""

    transactions: int
    slots: int

    @classmethod
    def of(cls, transactions: int) -> "Stream":
        """Return the part of the day that holds about so many transactions."""
        return cls(transactions, max(1, round(transactions * SLOTS / TRANSACTIONS)))

    @property
    def seconds(self) -> int:
        """How long the stream lasts."""
        return self.slots * SECONDS_PER_SLOT

    def chunks(self) -> list[tuple[int, list[int]]]:
        """Return the chunks by number: how many transactions each of their slots has."""
        sizes = [
            self.transactions * (slot + 1) // self.slots - self.transactions * slot // self.slots
            for slot in range(self.slots)
        ]
        return list(
            enumerate(sizes[at : at + SLOTS_PER_CHUNK] for at in range(0, len(sizes), SLOTS_PER_CHUNK))
        )


def sign_chunk(chunk: tuple[int, list[int]]) -> list[list[bytes]]:
    """Return the signed transactions of a chunk, slot by slot."""
    number, sizes = chunk
    signed = generate(
        sum(sizes), seed=f"day {number}", senders=SENDERS, first_nonce=number * _NONCES_PER_CHUNK
    )
    return [[next(signed) for _ in range(size)] for size in sizes]


def signed_slots(stream: Stream, workers: int) -> Iterator[list[bytes]]:
    """Yield the transactions of each slot; signed by `workers` processes, a few chunks ahead and no more."""
    flying: deque[Future[list[list[bytes]]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for chunk in stream.chunks():
            flying.append(pool.submit(sign_chunk, chunk))
            if len(flying) > 2 * workers:
                yield from flying.popleft().result()
        while flying:
            yield from flying.popleft().result()


def arrivals(slots: Iterable[list[bytes]], decoded: DecodedTransactions) -> Iterator[list[Arrival]]:
    """Yield what arrives in each slot, in order of time, its block last; `decoded` knows what was seen."""
    parent, pending = _GENESIS, list[bytes]()
    for slot, raws in enumerate(slots):
        begin_ns = (START_SECONDS + slot * SECONDS_PER_SLOT) * NS_PER_SECOND
        step_ns = SECONDS_PER_SLOT * NS_PER_SECOND // max(1, len(raws))
        found: list[TxSeen | TxBody] = []
        seen, unseen = list[bytes](), list[bytes]()
        for index, raw in enumerate(raws):
            tx_hash = keccak(raw)
            if int.from_bytes(tx_hash[:2], "big") % 1_000 < UNSEEN_PER_MILLE:
                unseen.append(raw)
                continue
            seen.append(raw)
            found.extend(_sightings(raw, tx_hash, begin_ns + index * step_ns))
        found.sort(key=lambda event: event.wall_ns)
        header = replace(
            parent,
            parent_hash=header_hash(parent),
            number=parent.number + 1,
            timestamp=parent.timestamp + SECONDS_PER_SLOT,
        )
        held = tuple([_transaction(raw, decoded) for raw in (*pending, *unseen)])
        block = Block(header_hash(header), header, held)
        end_ns = begin_ns + SECONDS_PER_SLOT * NS_PER_SECOND
        yield [*found, BlockArrived(end_ns, end_ns, Lane.RPC, _NODE, block)]
        parent, pending = header, seen


_NODE = "ws://node"


def _sightings(raw: bytes, tx_hash: bytes, at_ns: int) -> Iterator[TxSeen | TxBody]:
    """Yield two or three sightings and the body, each a few milliseconds after the one before."""
    kind = raw[0] if raw[0] < 0xC0 else 0
    peer = f"enode-{tx_hash[2] % PEERS:02d}"
    heard_ns = at_ns + tx_hash[3] * NS_PER_MS // 16
    told_ns = heard_ns + tx_hash[4] * NS_PER_MS // 4
    yield TxSeen(UNLOGGED, heard_ns, heard_ns, Lane.P2P, "p2p", tx_hash, peer, kind, len(raw), synthetic=True)
    yield TxSeen(UNLOGGED, told_ns, told_ns, Lane.RPC, _NODE, tx_hash, synthetic=True)
    if tx_hash[5] < 128:
        late_ns = told_ns + tx_hash[6] * NS_PER_MS // 4
        yield TxSeen(UNLOGGED, late_ns, late_ns, Lane.PRIVATE, "gateway", tx_hash, synthetic=True)
    body_ns = heard_ns + 20 * NS_PER_MS
    yield TxBody(UNLOGGED, body_ns, body_ns, Lane.P2P, "p2p", tx_hash, raw, synthetic=True)


def _transaction(raw: bytes, decoded: DecodedTransactions) -> Transaction:
    return decoded.get(keccak(raw)) or decode_transaction(raw)
