"""The pool book loaded from a node: pools by the events of factories and of flow, their state by storage.

Ranges of logs that a node refuses are halved. What was done is saved after every step, so a run that is
interrupted goes on where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mev_dagster.captures.source import ChainSource
from mev_dagster.chain.receipts import Log
from mev_dagster.dex.book import PoolBook
from mev_dagster.dex.book_file import load, save
from mev_dagster.dex.registry import venues
from mev_dagster.dex.venue import Pool
from mev_dagster.dex.venues.uniswap_v2.events import PAIR_CREATED_TOPIC, SYNC_TOPIC
from mev_dagster.dex.venues.uniswap_v3.events import POOL_CREATED_TOPIC
from mev_dagster.errors import InputError, MevError, NodeAnswerError, Unquotable
from mev_dagster.evm.state.rpc_state import RpcState, fetch_header
from mev_dagster.evm.types import StateSource
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.http import JsonRpc

TOPICS = (PAIR_CREATED_TOPIC, POOL_CREATED_TOPIC, SYNC_TOPIC)
BLOCKS_A_REQUEST = 2_000
POOLS_A_BATCH = 200
MOST_CATCHING_UP = 64
Progress = Callable[[str, int, int], None]


class StoredOnly:
    """The chain behind a block by its storage alone: no contract is asked."""

    def __init__(self, state: StateSource) -> None:
        self._state = state

    @property
    def state(self) -> StateSource:
        """Accounts, slots and codes."""
        return self._state

    def call(self, to: bytes, data: bytes) -> bytes:
        """Refuse: a pool that only its own code can quote is not read here."""
        raise Unquotable(f"{to_hex(to)} is not called while the book is loaded")


def sync(
    rpc: JsonRpc,
    path: Path,
    *,
    first: int,
    last: int | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> PoolBook:
    """Bring the book at `path` to block `last`, or to the node's head, and return it.

    The first time logs are searched from block `first` on. Every pool is read again at the new block: it may
    have moved since, and the node proves what it says.
    """
    head = int(str(rpc.call("eth_blockNumber")), 16) if last is None else last
    book, scanned = load(path) if path.exists() else (PoolBook(), None)
    if book.number > head:
        raise InputError(f"{path} is behind block {book.number}, after block {head}")
    start = first if scanned is None else scanned + 1
    for done, logs in logs_between(rpc, start, head):
        for log in logs:
            _note(book, log)
        on_progress("logs", done - start + 1, head - start + 1)
        save(book, path, scanned_to=done)
    return _read_all(rpc, book, path, head, on_progress)


def _note(book: PoolBook, log: Log) -> None:
    for decode in venues().decoders.get(log.topics[0] if log.topics else b"", ()):
        try:
            address = getattr(decode(log), "pool", None)
        except MevError:
            continue
        if isinstance(address, bytes) and address not in book:
            book.want(address)
        return


def _read_all(rpc: JsonRpc, book: PoolBook, path: Path, head: int, on_progress: Progress) -> PoolBook:
    header = fetch_header(rpc, head)
    addresses = sorted({*book.known, *book.wanted})
    fresh = PoolBook(number=head, block_hash=_hash_of(rpc, head))
    for start in range(0, len(addresses), POOLS_A_BATCH):
        batch = addresses[start : start + POOLS_A_BATCH]
        state = RpcState(rpc, head, state_root=header.state_root)
        state.prefetch([(address, venues().slots) for address in batch], codes=True)
        fresh.read(StoredOnly(state), batch)
        on_progress("pools", min(start + POOLS_A_BATCH, len(addresses)), len(addresses))
    save(fresh, path, scanned_to=head)
    return fresh


def _hash_of(rpc: JsonRpc, number: int) -> bytes:
    answer = rpc.call("eth_getBlockByNumber", [hex(number), False])
    try:
        return from_hex(answer["hash"])
    except (KeyError, TypeError, ValueError) as error:
        raise NodeAnswerError(f"{rpc.shown_url} has no block {number}") from error


def logs_between(rpc: JsonRpc, first: int, last: int) -> Iterator[tuple[int, Sequence[Log]]]:
    """Yield the logs that name pools in ranges of blocks, each with the last block of its range."""
    step = BLOCKS_A_REQUEST
    while first <= last:
        upto = min(first + step - 1, last)
        asked = {
            "fromBlock": hex(first),
            "toBlock": hex(upto),
            "topics": [[to_hex(topic) for topic in TOPICS]],
        }
        try:
            answer: Any = rpc.call("eth_getLogs", [asked])
        except NodeAnswerError:
            if upto == first:
                raise
            step = max(1, (upto - first + 1) // 2)
            continue
        if not isinstance(answer, list):
            raise NodeAnswerError(f"{rpc.shown_url}: eth_getLogs answers {type(answer).__name__}, not a list")
        yield upto, [_log(item, rpc) for item in answer]
        first, step = upto + 1, min(2 * step, BLOCKS_A_REQUEST)


def _log(item: Any, rpc: JsonRpc) -> Log:
    try:
        topics = tuple(from_hex(topic) for topic in item["topics"])
        return Log(from_hex(item["address"]), topics, from_hex(item["data"]))
    except (KeyError, TypeError, ValueError, MevError) as error:
        raise NodeAnswerError(f"{rpc.shown_url}: eth_getLogs answers a log that is none: {error}") from error


def known_before(path: Path, source: ChainSource, number: int, parent_hash: bytes) -> tuple[Pool, ...]:
    """Return the pools of the book at `path` as they stand before block `number`.

    A book that is a few blocks behind is brought up by their logs; its file stays as it is. None where it is
    too far away or on another branch: then nothing is searched that may be wrong.
    """
    book, _ = load(path)
    if not 0 <= number - 1 - book.number <= MOST_CATCHING_UP:
        return ()
    for missing in range(book.number + 1, number):
        block = source.block(missing)
        if block.header.parent_hash != book.block_hash:
            return ()
        logs = [log for receipt in source.receipts(missing) for log in receipt.logs]
        book.apply(missing, block.hash, block.header.parent_hash, logs)
    return tuple(book.searchable()) if book.block_hash == parent_hash else ()
