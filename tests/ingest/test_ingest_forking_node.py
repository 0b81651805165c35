"""A real chain that forks into what nobody here knows: blocks are seen and kept, execution alone stops."""

from functools import partial

import pytest
from forking_node import LATER_FIELDS, ForkingNode
from ingest_anvil import CHAIN_ID
from ingest_processes import Daemon, wait_for
from ingest_run import transfer

from mev_dagster.chain.blocks import decode_header, header_hash
from mev_dagster.events.log import EventLogReader
from mev_dagster.events.types import BlockReverted, BlockSeen, TxIncluded
from mev_dagster.platform.health import stopped_stages

pytestmark = pytest.mark.anvil


@pytest.fixture
def node(anvil):
    proxy = ForkingNode(anvil.url)
    yield proxy
    proxy.stop()


@pytest.fixture
def daemon(node, store, home):
    started = Daemon(home, "--rpc", node.url, chain_id=CHAIN_ID)
    yield started
    started.kill()


def at_head(daemon, number):
    health = daemon.health()
    return bool(health) and health["head_block"] == number and health["backlog"] == 0


def stopped(daemon):
    status, answer = daemon.get("/readyz")
    assert (status, answer["ready"]) == (200, True), "recording goes on"
    return answer["stopped"]


def gauge(daemon):
    lines = daemon.get("/metrics")[1].splitlines()
    return [line for line in lines if line.startswith("mev_execution_stopped{")]


def blocks_of(home):
    return {e.number: e for e in EventLogReader(home / "events").read() if isinstance(e, BlockSeen)}


def test_a_fork_with_unknown_header_fields_stops_execution_alone_and_all_else_goes_on(
    anvil, node, daemon, store, home
):
    wait_for(partial(at_head, daemon, 0), "the first head")
    anvil.send(transfer(0).raw)
    anvil.mine()
    wait_for(partial(at_head, daemon, 1), "a block of a known fork")
    assert stopped(daemon) == []

    node.fields_from = 2
    for number in (2, 3):
        anvil.send(transfer(number - 1).raw)
        anvil.mine()
        wait_for(partial(at_head, daemon, number), f"block {number}")
    (told,) = stopped(daemon)
    assert (told["code"], told["since_block"]) == ("unknown_fork", 2)
    assert "2 fields of a fork not known here" in told["why"]
    # The gauge says how many stages stand still.
    assert gauge(daemon) == [f'mev_execution_stopped{{reason="unknown_fork"}} {len(told["stages"])}.0']
    # What `mev status` asks, and says.
    (stages,) = stopped_stages(f"http://127.0.0.1:{daemon.port}/healthz")
    assert stages.sentence().startswith("simulations, opportunities")
    assert "stopped at block 2" in stages.sentence()

    waiting = transfer(3)
    anvil.send(waiting.raw)
    found = wait_for(
        lambda: store.rows(f"SELECT raw_len FROM transactions WHERE tx_hash = unhex('{waiting.hash.hex()}')"),
        "a pending transaction in the store",
    )
    assert found == [(len(waiting.raw),)]

    seen = blocks_of(home)
    assert decode_header(seen[1].header_rlp).later_fields == ()
    for number in (2, 3):
        header = decode_header(seen[number].header_rlp)
        assert header.later_fields == LATER_FIELDS
        assert header_hash(header) == seen[number].block_hash
        assert seen[number].tx_hashes == (transfer(number - 1).hash,)
    assert header_hash(decode_header(seen[2].header_rlp)) == decode_header(seen[3].header_rlp).parent_hash
    assert not [e for e in EventLogReader(home / "events").read() if isinstance(e, BlockReverted)]
    rows = store.rows("SELECT block_number, block_hash FROM blocks ORDER BY block_number")
    assert rows[-2:] == [(number, seen[number].block_hash) for number in (2, 3)]


def test_transactions_of_a_rollups_types_stop_execution_alone_and_are_kept_by_their_hashes(
    anvil, node, daemon, store, home
):
    wait_for(partial(at_head, daemon, 0), "the first head")
    node.foreign_from = 1
    anvil.send(transfer(0).raw)
    anvil.mine()
    wait_for(partial(at_head, daemon, 1), "the block")
    (told,) = stopped(daemon)
    assert (told["code"], told["since_block"]) == ("foreign_transactions", 1)
    assert "0x64, 0x7e" in told["why"]
    assert gauge(daemon)[0].startswith('mev_execution_stopped{reason="foreign_transactions"} ')
    theirs = {bytes([kind]) + (1).to_bytes(31, "big") for kind in (0x7E, 0x64)}
    assert set(blocks_of(home)[1].tx_hashes) == theirs | {transfer(0).hash}
    included = {e.tx_hash for e in EventLogReader(home / "events").read() if isinstance(e, TxIncluded)}
    assert included == theirs | {transfer(0).hash}

    node.foreign_from = 2**62
    anvil.mine()
    wait_for(lambda: stopped(daemon) == [], "execution to go on")
    assert gauge(daemon) in ([], ['mev_execution_stopped{reason="foreign_transactions"} 0.0'])
