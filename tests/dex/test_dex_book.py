"""The pool book: kept by logs, taken back by reorgs, held against the chain, equal however it came about."""

import time
from random import Random
from types import SimpleNamespace

import pytest

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import encode_words
from mev_dagster.dex.book import BLOCKS_KEPT, Doubt, PoolBook
from mev_dagster.dex.book_file import load, save
from mev_dagster.dex.venue import Pool
from mev_dagster.dex.venues.uniswap_v2.events import PAIR_CREATED_TOPIC, SWAP_TOPIC, SYNC_TOPIC
from mev_dagster.dex.venues.uniswap_v2.pool import RESERVES_SLOT, TOKEN0_SLOT, TOKEN1_SLOT, Pair
from mev_dagster.dex.venues.uniswap_v2.venue import PAIR_CODES
from mev_dagster.errors import InputError, Unquotable

CODE = next(iter(PAIR_CODES))


def address(number):
    return number.to_bytes(20, "big")


def pair(number, reserve0=10**18, reserve1=10**18):
    return Pair(address(number), address(10_001), address(10_002), reserve0, reserve1)


def block_hash(number, branch=0):
    return bytes([branch]) + number.to_bytes(31, "big")


def synced(number, reserve0, reserve1):
    return Log(address(number), (SYNC_TOPIC,), encode_words((reserve0, reserve1)))


def created(number):
    topics = (PAIR_CREATED_TOPIC, bytes(12) + address(10_001), bytes(12) + address(10_002))
    return Log(address(77), topics, encode_words((address(number), 1)))


def applied(book, number, logs, branch=0, parent=None):
    book.apply(number, block_hash(number, branch), parent or book.block_hash, logs)


def chain_of(pools):
    """The chain as storage has it: these pairs, and nothing else."""
    held = {pool.address: pool for pool in pools}

    def storage(where, slot):
        pool = held[where]
        return {
            TOKEN0_SLOT: int.from_bytes(pool.token0, "big"),
            TOKEN1_SLOT: int.from_bytes(pool.token1, "big"),
            RESERVES_SLOT: pool.reserve1 << 112 | pool.reserve0,
        }[slot]

    account = lambda where: SimpleNamespace(code_hash=CODE if where in held else bytes(32))  # noqa: E731
    return SimpleNamespace(state=SimpleNamespace(account=account, storage=storage, code=lambda _: b""))


@pytest.fixture
def book():
    return PoolBook([pair(1), pair(2), pair(3)], number=10, block_hash=block_hash(10))


def test_a_sync_moves_its_pair_and_no_other(book):
    applied(book, 11, [synced(2, 5, 7)])
    assert book.known[address(2)].at[:2] == (5, 7)
    assert book.known[address(1)] == pair(1)


def test_of_several_logs_the_last_one_counts(book):
    applied(book, 11, [synced(2, 5, 7), synced(2, 6, 6)])
    assert book.known[address(2)].at[:2] == (6, 6)


def test_a_block_taken_back_leaves_no_trace(book):
    before = book.digest()
    applied(book, 11, [synced(2, 5, 7), created(9)])
    applied(book, 12, [synced(2, 1, 1), synced(3, 4, 4)])
    assert (book.undo(), book.undo()) == (12, 11)
    assert book.digest() == before


def test_a_reorg_ends_where_the_other_branch_alone_would(book):
    other = PoolBook([pair(1), pair(2), pair(3)], number=10, block_hash=block_hash(10))
    applied(book, 11, [synced(1, 5, 7)])
    applied(book, 12, [synced(2, 5, 7)])
    assert book.back_to(block_hash(10))
    for one in (book, other):
        applied(one, 11, [synced(3, 8, 8)], branch=1)
    assert book.digest() == other.digest()


def test_a_block_that_is_not_the_next_one_is_refused(book):
    with pytest.raises(InputError, match="block 12"):
        applied(book, 12, [], parent=block_hash(11))


def test_a_reorg_deeper_than_what_is_remembered_leaves_nothing_to_search(book):
    for number in range(11, 12 + BLOCKS_KEPT):
        applied(book, number, [synced(1, number, number)])
    assert not book.back_to(block_hash(10))
    assert book.searchable() == []
    assert set(book.doubts.values()) == {Doubt.REORGED}


def test_pools_are_discovered_by_their_factory_and_by_what_flows(book):
    swap = Log(address(8), (SWAP_TOPIC, bytes(32), bytes(32)), encode_words((1, 0, 0, 1)))
    applied(book, 11, [created(9), swap])
    assert set(book.wanted) == {address(9), address(8)}
    assert book.read(chain_of([pair(9)])) == 1
    assert address(9) in book
    assert address(8) not in book
    assert not book.wanted


def test_a_pool_that_drifted_is_found_and_not_searched_until_it_is_read_again(book):
    chain = chain_of([pair(1), pair(2, 10**18 + 1), pair(3)])
    assert book.check(chain, book.sample(10)) == [address(2)]
    assert [pool.address for pool in book.searchable()] == [address(1), address(3)]
    applied(book, 11, [synced(2, 5, 7)])
    assert address(2) in book.doubts
    book.read(chain)
    assert [pool.address for pool in book.searchable()] == [address(1), address(2), address(3)]


def test_a_pool_that_is_none_any_more_is_doubted(book):
    book.check(chain_of([pair(1), pair(2)]), [address(3)])
    book.read(chain_of([pair(1), pair(2)]))
    assert book.doubts == {address(3): Doubt.GONE}


def test_a_pool_whose_logs_do_not_tell_how_it_stands_is_not_searched():
    class Silent(Pool):
        address, family, tokens = address(5), "silent", (address(10_001), address(10_002))

        def quote(self, token_in, token_out, amount_in):
            raise Unquotable("nobody knows")

    book = PoolBook([Silent(), pair(1)], number=10, block_hash=block_hash(10))
    applied(book, 11, [synced(5, 1, 1)])
    assert [pool.address for pool in book.searchable()] == [address(1)]
    book.undo()
    assert len(book.searchable()) == 2


def test_every_pool_has_its_turn_in_the_samples(book):
    seen = set()
    for number in range(11, 14):
        seen.update(book.sample(1))
        applied(book, number, [])
    assert seen == {address(1), address(2), address(3)}


def test_a_log_that_only_looks_like_one_changes_nothing(book):
    before = book.known[address(1)]
    hostile = [
        Log(address(1), (SYNC_TOPIC,), b"\x01"),
        Log(address(1), (), b""),
        Log(address(1), (SYNC_TOPIC, bytes(32)), encode_words((1, 1))),
    ]
    applied(book, 11, hostile)
    assert book.known[address(1)] is before


def test_a_saved_book_is_the_same_book(book, tmp_path):
    applied(book, 11, [synced(2, 5, 2**111), created(9)])
    save(book, tmp_path / "book", scanned_to=11)
    again, scanned_to = load(tmp_path / "book")
    assert again.digest() == book.digest()
    assert (scanned_to, list(again.wanted)) == (11, [address(9)])


@pytest.mark.parametrize("damage", [b"", b"{}", b"not json", b"[]\n"])
def test_a_file_that_is_no_book_is_bad_input(tmp_path, damage):
    (tmp_path / "book").write_bytes(damage)
    with pytest.raises(InputError):
        load(tmp_path / "book")


def test_a_book_that_was_changed_on_disk_is_refused(book, tmp_path):
    save(book, tmp_path / "book")
    text = (tmp_path / "book").read_text()
    (tmp_path / "book").write_text(text.replace(str(10**18), str(10**18 + 1), 1))
    with pytest.raises(InputError, match="digest"):
        load(tmp_path / "book")


def test_a_book_of_many_pools_takes_a_busy_block_in_little_time():
    dice = Random(7)
    book = PoolBook((pair(number) for number in range(1, 20_001)), number=1, block_hash=block_hash(1))
    logs = [
        log
        for number in dice.sample(range(1, 20_001), 300)
        for log in (
            synced(number, 5, 7),
            Log(address(number), (SWAP_TOPIC, bytes(32), bytes(32)), encode_words((1, 0, 0, 1))),
        )
    ]
    started = time.process_time()
    applied(book, 2, logs)
    assert time.process_time() - started < 1
    assert sum(pool.at[:2] == (5, 7) for pool in book.searchable()) == 300
