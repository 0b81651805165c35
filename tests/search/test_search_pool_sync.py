"""The book loaded from a node: ranges that are refused are halved, and known pools join a block's search."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.dex.abi import encode_words
from mev_dagster.dex.book import PoolBook
from mev_dagster.dex.book_file import load, save
from mev_dagster.dex.venues.uniswap_v2.events import PAIR_CREATED_TOPIC, SYNC_TOPIC
from mev_dagster.dex.venues.uniswap_v2.pool import RESERVES_SLOT, TOKEN0_SLOT, TOKEN1_SLOT, Pair
from mev_dagster.dex.venues.uniswap_v2.venue import PAIR_CODES
from mev_dagster.errors import InputError, NodeAnswerError, NodeUnreachable
from mev_dagster.evm.engines import get_engine
from mev_dagster.search import pool_sync
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.pool_sync import BLOCKS_A_REQUEST, known_before, logs_between, sync
from mev_dagster.search.run import prepare

SHIPPED = Path(__file__).resolve().parents[2] / "mev_dagster" / "demo" / "capture"


class Node:
    shown_url = "http://a.node"

    def __init__(self, most_blocks, answer=None):
        self.most_blocks, self.answer, self.asked = most_blocks, answer, []

    def call(self, method, params):
        first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
        if last - first + 1 > self.most_blocks:
            raise NodeAnswerError("too many blocks")
        self.asked.append((first, last))
        if self.answer is not None:
            return self.answer
        return [{"address": "0x" + "11" * 20, "topics": ["0x" + SYNC_TOPIC.hex()], "data": "0x"}]


@pytest.mark.parametrize("most_blocks", [1, 7, 300, BLOCKS_A_REQUEST])
def test_every_block_is_asked_for_once_whatever_the_node_allows(most_blocks):
    node = Node(most_blocks)
    ends = [end for end, logs in logs_between(node, 5, 1_000) if logs]
    covered = [number for first, last in node.asked for number in range(first, last + 1)]
    assert covered == list(range(5, 1_001))
    assert ends[-1] == 1_000


def test_a_block_that_is_refused_on_its_own_ends_it():
    with pytest.raises(NodeAnswerError):
        list(logs_between(Node(0), 5, 9))


@pytest.mark.parametrize("answer", [{}, [1], [{"address": "0x"}], [{"address": 1, "topics": [], "data": ""}]])
def test_an_answer_that_is_no_list_of_logs_is_the_nodes_fault(answer):
    with pytest.raises(NodeAnswerError):
        list(logs_between(Node(10**6, answer), 5, 9))


@pytest.fixture(scope="module")
def inputs():
    with open_capture(SHIPPED) as capture:
        (found,) = capture_inputs(capture, capture.numbers[-1])
        return found


def test_a_known_pool_is_searched_where_both_its_tokens_are_traded(inputs):
    own = prepare(inputs, get_engine()).discovery.pools
    known = Pair(b"\x01" * 20, *own[0].tokens, 10**18, 10**18)
    foreign = Pair(b"\x02" * 20, own[0].tokens[0], b"\xee" * 20, 10**18, 10**18)
    graph = prepare(replace(inputs, known_pools=(known, foreign)), get_engine()).view.graph
    assert known.address in graph.pools
    assert foreign.address not in graph.pools


def test_what_the_state_says_of_a_pool_wins_over_the_book(inputs):
    own = prepare(inputs, get_engine()).discovery.pools[0]
    stale = Pair(own.address, *own.tokens, 1, 1)
    graph = prepare(replace(inputs, known_pools=(stale,)), get_engine()).view.graph
    assert graph.pools[own.address] == own


def test_a_book_follows_the_blocks_between_and_is_what_the_state_holds(inputs, tmp_path):
    path = tmp_path / "book"
    with open_capture(SHIPPED) as capture:
        last = capture.numbers[-1]
        start = last - 3
        (early,) = capture_inputs(capture, start)
        pools = prepare(early, get_engine()).discovery.pools
        save(PoolBook(pools, number=start - 1, block_hash=early.env.parent_hash), path)
        found = {pool.address: pool for pool in known_before(path, capture, last, inputs.env.parent_hash)}
        held = {pool.address: pool for pool in prepare(inputs, get_engine()).discovery.pools}
        assert found.keys() & held.keys()
        assert all(found[address] == held[address] for address in found.keys() & held.keys())
        assert known_before(path, capture, last, b"\x01" * 32) == ()
        assert known_before(path, capture, start - 1, early.env.parent_hash) == ()


class Chain(Node):
    """A node whose pairs are named by a factory, one every hundred blocks."""

    def __init__(self, head, most_blocks=BLOCKS_A_REQUEST, fails_after=None):
        super().__init__(most_blocks)
        self.head, self.fails_after = head, fails_after

    def call(self, method, params=()):
        if method == "eth_blockNumber":
            return hex(self.head)
        if method == "eth_getBlockByNumber":
            return {"hash": "0x" + "22" * 32}
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise NodeUnreachable("gone")
        super().call(method, params)
        first, last = self.asked[-1]
        return [created(number) for number in range(first, last + 1) if number % 100 == 0]


def created(number):
    pool, tokens = number.to_bytes(20, "big"), [bytes(31) + b"\x01", bytes(31) + b"\x02"]
    return {
        "address": "0x" + "77" * 20,
        "topics": ["0x" + topic.hex() for topic in (PAIR_CREATED_TOPIC, *tokens)],
        "data": "0x" + encode_words((pool, 1)).hex(),
    }


class Stored:
    """A state in which every address is a pair."""

    def __init__(self, rpc, number, state_root):
        self.number = number

    def prefetch(self, wanted, *, codes):
        self.wanted = dict(wanted)

    def account(self, address):
        assert address in self.wanted
        return SimpleNamespace(code_hash=next(iter(PAIR_CODES)))

    def code(self, code_hash):
        return b"\x01"

    def storage(self, address, slot):
        return {TOKEN0_SLOT: 1, TOKEN1_SLOT: 2, RESERVES_SLOT: self.number << 112 | 7}[slot]


@pytest.fixture
def stored(monkeypatch):
    monkeypatch.setattr(pool_sync, "RpcState", Stored)
    monkeypatch.setattr(pool_sync, "fetch_header", lambda rpc, number: SimpleNamespace(state_root=b""))


def test_a_book_is_loaded_from_a_node_and_read_at_its_head(stored, tmp_path):
    book = sync(Chain(5_000), tmp_path / "book", first=1)
    assert len(book.searchable()) == 50
    assert {pool.at.reserve1 for pool in book.searchable()} == {5_000}
    assert load(tmp_path / "book")[0].digest() == book.digest()


def test_a_load_that_was_interrupted_goes_on_where_it_was(stored, tmp_path):
    with pytest.raises(NodeUnreachable):
        sync(Chain(5_000, most_blocks=500, fails_after=3), tmp_path / "book", first=1)
    again = Chain(5_000)
    book = sync(again, tmp_path / "book", first=1)
    assert again.asked[0][0] > 1_000
    assert book.digest() == sync(Chain(5_000), tmp_path / "other", first=1).digest()


def test_a_second_load_asks_for_the_new_blocks_alone(stored, tmp_path):
    sync(Chain(5_000), tmp_path / "book", first=1)
    later = Chain(5_300)
    book = sync(later, tmp_path / "book", first=1)
    assert later.asked == [(5_001, 5_300)]
    assert len(book.searchable()) == 53


def test_a_node_that_is_behind_the_book_is_refused(stored, tmp_path):
    sync(Chain(5_000), tmp_path / "book", first=1)
    with pytest.raises(InputError, match="behind block 5000"):
        sync(Chain(4_000), tmp_path / "book", first=1)


def test_the_command_says_what_a_book_holds(stored, tmp_path):
    sync(Chain(5_000), tmp_path / "book", first=1)
    call = [sys.executable, "-m", "mev_dagster", "pools", "show", "--book", str(tmp_path / "book"), "--json"]
    document = json.loads(subprocess.run(call, capture_output=True, check=True).stdout)
    assert (document["pools"], document["block"]) == (50, 5_000)
    assert sum(document["venues"].values()) == 50
