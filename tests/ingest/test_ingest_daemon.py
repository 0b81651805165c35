"""`mev ingest` as a process: real anvil, real store server, real signals."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from ingest_anvil import KEYS, Anvil, free_port
from ingest_processes import Daemon, wait_for
from ingest_run import transfer

from mev_dagster.cli import main
from mev_dagster.events.log import EventLogReader, verify
from mev_dagster.events.types import BlockReverted, BlockSeen, LaneState, LaneStatus, TxBody
from mev_dagster.settings import settings
from mev_dagster.telemetry.logging import configure
from mev_dagster.windows.log_windows import log_identity
from mev_dagster.windows.rows import INGEST_TABLES, process

pytestmark = pytest.mark.anvil


@pytest.fixture
def daemons():
    started = []
    yield started
    for daemon in started:
        daemon.kill()


@pytest.fixture
def launch(daemons, home):
    def launch(*arguments: str, **settings: object) -> Daemon:
        daemon = Daemon(home, *arguments, **settings)
        daemons.append(daemon)
        return daemon

    return launch


def connected(daemon: Daemon) -> bool:
    return bool(daemon.health().get("lanes", {}).get("rpc", {}).get("connected"))


def caught_up(daemon: Daemon, head: int) -> bool:
    health = daemon.health()
    return bool(health) and health["head_block"] == head and health["backlog"] == 0


def logged(home) -> list:
    return list(EventLogReader(home / "events").read())


def assert_store_equals_log(store, home) -> None:
    reader = EventLogReader(home / "events")
    expected = process(reader.read(), log_id=log_identity(reader))
    for table in INGEST_TABLES:
        seqs = [seq for (seq,) in store.rows(f"SELECT seq FROM {table} ORDER BY seq")]
        assert seqs == sorted(row["seq"] for row in expected.written[table]), table


def test_a_live_node_flows_into_log_and_store_and_a_signal_ends_it_cleanly(anvil, store, home, launch):
    daemon = launch("--rpc", anvil.url)
    wait_for(partial(connected, daemon), "the lane")
    txs = [transfer(nonce) for nonce in range(5)]
    for tx in txs:
        anvil.send(tx.raw)
    anvil.mine(2)
    wait_for(lambda: caught_up(daemon, 2), "block 2 in the store")

    assert daemon.get("/readyz") == (200, {"ready": True, "reasons": [], "stopped": []})
    metrics = daemon.get("/metrics")[1]
    for line in (
        'mev_lane_up{lane="rpc"} 1.0',
        "mev_head_block_number 2.0",
        'mev_ingest_included_txs_total{seen="before"} 5.0',
        'mev_block_lag_seconds_count{stage="logged"} 3.0',
        'mev_block_lag_seconds_count{stage="stored"} 3.0',
        'mev_ingest_events_total{kind="TxBody",lane="rpc"} 5.0',
    ):
        assert line in metrics.splitlines(), line
    head = daemon.get("/heads")[1]["head"]
    assert head["number"] == 2

    assert daemon.stop() == 0
    report = verify(home / "events")
    assert (report.ok, report.torn_bytes) == (True, 0)
    assert not list((home / "events").glob("*.torn"))
    assert_store_equals_log(store, home)
    assert {row[0] for row in store.rows("SELECT tx_hash FROM transactions")} == {tx.hash for tx in txs}
    last = logged(home)[-1]
    assert (last.state, last.reason) == (LaneState.DISCONNECTED, "the daemon stops")


def test_whoever_waits_for_a_head_is_answered_when_it_is_durable(anvil, store, launch):
    daemon = launch("--rpc", anvil.url)
    wait_for(lambda: daemon.health().get("head_block") == 0, "the first head")
    seq = daemon.get("/heads")[1]["head"]["seq"]
    assert daemon.get(f"/heads?after_seq={seq}&wait=0.01")[1] == {"head": None}
    anvil.mine()
    head = daemon.get(f"/heads?after_seq={seq}&wait=20")[1]["head"]
    assert head["number"] == 1
    assert daemon.health()["durable_seq"] >= head["seq"]
    assert daemon.get("/heads?after_seq=x")[0] == 400
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.get, f"/heads?after_seq={head['seq']}&wait=60")
        began = time.monotonic()
        assert daemon.stop() == 0  # whoever waits for a head does not hold up the end
        assert time.monotonic() - began < 50
        waiting.exception()


def test_kill_9_loses_nothing_acknowledged_and_duplicates_nothing(anvil, store, home, launch):
    rng = random.Random(7)
    nonces = dict.fromkeys(KEYS, 0)
    acknowledged, sent, head = -1, set(), 0
    for _ in range(3):
        daemon = launch("--rpc", anvil.url)
        wait_for(partial(connected, daemon), "the lane")
        assert daemon.health()["durable_seq"] >= acknowledged
        deadline = time.monotonic() + rng.uniform(0.05, 0.6)
        while time.monotonic() < deadline:
            key = rng.choice(KEYS)
            tx = transfer(nonces[key], key=key)
            nonces[key] += 1
            anvil.send(tx.raw)
            sent.add(tx.hash)
            if rng.random() < 0.1:
                anvil.mine()
                head += 1
            acknowledged = max(acknowledged, daemon.health()["durable_seq"])
        daemon.kill()
        assert EventLogReader(home / "events").last_seq >= acknowledged

    daemon = launch("--rpc", anvil.url)
    anvil.mine()
    head += 1
    wait_for(lambda: caught_up(daemon, head), "the last block in the store")
    assert daemon.stop() == 0
    events = logged(home)
    assert verify(home / "events").ok
    assert [event.seq for event in events] == list(range(len(events)))
    bodies = [event.tx_hash for event in events if isinstance(event, TxBody)]
    assert len(bodies) == len(set(bodies))
    assert set(bodies) == sent
    assert [event.number for event in events if isinstance(event, BlockSeen)] == list(range(head + 1))
    assert_store_equals_log(store, home)
    gaps = [event for event in events if isinstance(event, LaneStatus) and event.state == LaneState.GAP]
    assert len(gaps) == 3
    assert {gap.reason for gap in gaps} == {"the daemon was not running"}


def test_a_node_that_is_down_is_waited_for_and_one_that_dies_is_followed_again(
    anvil_binary, store, home, launch
):
    port = free_port()
    daemon = launch("--rpc", f"ws://127.0.0.1:{port}")
    wait_for(lambda: daemon.health().get("lanes", {}).get("rpc", {}).get("last_error"), "the first try")
    status, answer = daemon.get("/readyz")
    assert (status, answer["reasons"]) == (503, ["no lane is connected"])
    assert f"no answer from ws://127.0.0.1:{port}" in daemon.health()["lanes"]["rpc"]["last_error"]

    node = Anvil(anvil_binary, "--timestamp", "1700000000", port=port)
    try:
        node.mine(2)
        wait_for(lambda: caught_up(daemon, 2), "block 2")
        node.stop()
        wait_for(lambda: not daemon.health()["lanes"]["rpc"]["connected"], "the loss")
        node.start()  # wound back to its first block
        node.send(transfer(0).raw)
        node.mine(1)
        wait_for(lambda: caught_up(daemon, 1), "block 1 of the new branch")
    finally:
        node.stop()
    assert daemon.stop() == 0
    states = [event.state for event in logged(home) if isinstance(event, LaneStatus)]
    assert states[:6] == [
        LaneState.GAP, LaneState.CONNECTED, LaneState.RESYNCED,
        LaneState.DISCONNECTED, LaneState.GAP, LaneState.CONNECTED,
    ]  # fmt: skip
    assert_store_equals_log(store, home)


def test_another_chain_at_the_same_address_is_refused_and_reverts_nothing(anvil_binary, store, home, launch):
    port = free_port()
    node = Anvil(anvil_binary, "--timestamp", "1700000000", port=port)
    daemon = launch("--rpc", f"ws://127.0.0.1:{port}")
    try:
        node.mine(2)
        wait_for(lambda: caught_up(daemon, 2), "block 2")
    finally:
        node.stop()
    node = Anvil(anvil_binary, "--timestamp", "1800000000", port=port)
    try:
        node.mine(3)
        wait_for(
            lambda: "expected the chain that begins with" in daemon.health()["lanes"]["rpc"]["last_error"],
            "the refusal",
        )
        assert daemon.get("/readyz")[0] == 503
    finally:
        node.stop()
    assert daemon.stop() == 0
    assert not [event for event in logged(home) if isinstance(event, BlockReverted)]
    assert max(event.number for event in logged(home) if isinstance(event, BlockSeen)) == 2


def test_a_store_of_another_chain_gets_nothing_while_the_log_goes_on(anvil, store, home, launch):
    store.insert("store_chain", {"chain_id": [5]})
    daemon = launch("--rpc", anvil.url)
    wait_for(partial(connected, daemon), "the lane")
    wait_for(lambda: daemon.get("/readyz")[0] == 503, "the refusal")
    [reason] = daemon.get("/readyz")[1]["reasons"]
    assert "the store is of chain 5, the log of chain 31337" in reason
    anvil.mine(1)
    wait_for(lambda: daemon.health()["head_block"] == 1, "the head in the log")
    assert store.count("blocks") == 0
    store.command("TRUNCATE TABLE store_chain")
    wait_for(lambda: caught_up(daemon, 1), "the right store to be filled", seconds=90)
    assert daemon.get("/readyz")[0] == 200


def test_a_full_queue_counts_its_drops_and_the_resync_brings_them_back(anvil, store, home, launch):
    daemon = launch("--rpc", anvil.url, ingest_queue_events=4)
    wait_for(partial(connected, daemon), "the lane")
    txs = [transfer(nonce) for nonce in range(300)]
    anvil.send_all([tx.raw for tx in txs])
    wait_for(lambda: daemon.health()["dropped"] > 0, "a drop")
    number = 0
    while {event.tx_hash for event in logged(home) if isinstance(event, TxBody)} != {tx.hash for tx in txs}:
        anvil.mine()
        number += 1
        wait_for(lambda number=number: caught_up(daemon, number), f"block {number}")
    dropped = daemon.health()["dropped"]
    assert (
        f'mev_ingest_dropped_total{{lane="rpc",reason="queue_full"}} {float(dropped)}'
        in daemon.get("/metrics")[1]
    )
    assert daemon.stop() == 0
    told = [e for e in logged(home) if isinstance(e, LaneStatus) and e.state == LaneState.DROPPED]
    assert sum(event.count for event in told) == dropped
    assert_store_equals_log(store, home)


def test_lanes_come_and_go_with_the_profile_while_the_daemon_runs(anvil, store, home, launch):
    over_http = anvil.url.replace("ws", "http", 1)
    profile = home / "mev.toml"
    profile.write_text(f'[[providers]]\nurl = "{anvil.url}"\nname = "first"\n')
    daemon = launch("--mode", "rpc", profile=str(profile))
    wait_for(partial(connected, daemon), "the first lane")
    profile.write_text(f'[[providers]]\nurl = "{over_http}"\nname = "second"\n')
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.health()["lanes"]["rpc"]["source"] == "second", "the second lane")
    wait_for(partial(connected, daemon), "the second lane's head")
    profile.write_text("[[providers]]\nurl = 5\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "lanes not read again" in daemon.log(), "the refusal")
    assert daemon.health()["lanes"]["rpc"]["source"] == "second"
    assert daemon.get("/status")[1]["lanes"]["rpc"]["connected"]
    assert daemon.stop() == 0
    gone = [one for one in logged(home) if isinstance(one, LaneStatus) and one.source == "first"][-1]
    assert (gone.state, gone.reason) == (LaneState.DISCONNECTED, "the lane was taken away")


def test_two_daemons_do_not_share_a_log(anvil, store, home, launch, run_mev):
    wait_for(launch("--rpc", anvil.url).health, "the first daemon")
    status, errors = run_mev("ingest", "--rpc", anvil.url, "--port", "0")
    assert status == 1
    assert errors[-1].startswith("mev: log_locked: ")


@pytest.fixture
def run_mev(home, monkeypatch, capsys):
    """Run `mev ARGUMENTS` here; return its exit status and the lines on stderr."""

    def run(*arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setenv("MEV_HOME", str(home))
        settings.cache_clear()
        with pytest.raises(SystemExit) as exit_:
            main(list(arguments))
        return int(exit_.value.code or 0), capsys.readouterr().err.splitlines()

    yield run
    settings.cache_clear()
    configure("WARNING")


def test_a_port_in_use_is_named_and_nothing_is_touched(anvil, home, run_mev):
    status, errors = run_mev("ingest", "--rpc", anvil.url, "--port", str(anvil.port))
    assert status == 2
    assert errors[-1].startswith(f"mev: port_in_use: ingest: 127.0.0.1:{anvil.port}: ")
    assert not (home / "events").exists()


def test_once_an_unreachable_node_is_one_clear_line(run_mev, store):
    port = free_port()
    status, errors = run_mev(
        "ingest", "--rpc", f"ws://127.0.0.1:{port}/key", "--once", "--port", "0", "--log-level", "error"
    )
    assert status == 1
    (line,) = errors
    assert line.startswith(f"mev: unreachable: no answer from ws://127.0.0.1:{port}: ")
    assert "key" not in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no lane: give --rpc ws://host:port or --capture PATH"),
        (("--lanes", "capture"), "lane capture needs --capture"),
        (("--lanes", "carrier"), "--lanes: no lane 'carrier'; there are "),
        (("--rpc", "ftp://127.0.0.1:1"), "rpc.url: expected ws://host"),
        (("--capture", "/nonexistent"), "/nonexistent"),
        (("--capture", ".", "--speed", "fast"), "--speed: expected 1, a positive number or max"),
    ],
)
def test_a_wrong_flag_is_named(run_mev, arguments, message):
    status, errors = run_mev("ingest", *arguments, "--port", "0")
    assert status == 2
    (line,) = errors
    assert message in line


def test_a_capture_played_twice_is_logged_and_stored_once(fixtures, store, home, run_mev, tmp_path):
    blocks = [str(fixtures / "blocks_prestate" / f"{number}.json.zst") for number in (116525, 11743952)]
    capture = tmp_path / "capture"
    assert run_mev("capture", "import", *blocks, str(capture))[0] == 0
    play = ("ingest", "--capture", str(capture), "--speed", "max", "--once", "--port", "0")
    assert run_mev(*play)[0] == 0
    events = logged(home)
    assert_store_equals_log(store, home)
    digests = {table: store.digest(table) for table in INGEST_TABLES}
    assert all(digest.rows for table, digest in digests.items() if table != "tx_rejects")
    assert run_mev(*play)[0] == 0
    assert logged(home) == events
    assert {table: store.digest(table) for table in INGEST_TABLES} == digests
