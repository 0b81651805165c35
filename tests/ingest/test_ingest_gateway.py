"""Gateways on every source, and `mev p2p` as a person uses it."""

import asyncio
import json
import subprocess

import pytest
from ingest_anvil import until
from ingest_processes import start, wait_for
from ingest_run import new_pipeline, running
from prometheus_client import CollectorRegistry

from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.cli import main
from mev_dagster.devp2p.enode import parse_enode
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.node import NodeConfig
from mev_dagster.events.types import TxBody
from mev_dagster.ingest.gateway import (
    capture_source,
    generated_transactions,
    generator_source,
    run_gateway,
)
from mev_dagster.ingest.lanes.p2p import P2PLane
from mev_dagster.ingest.lanes.p2p_chain import Mimicry, RecentHeaders
from mev_dagster.telemetry.clock import SystemClock

SHIPPED = "mev_dagster/demo/capture"


async def bodies_through(source, count: int, chain_id: int) -> set[bytes]:
    """Serve a source and listen to it; return the first bodies that came."""
    enodes: list[str] = []
    serving = asyncio.create_task(run_gateway(source, started=enodes.append))
    await until(lambda: enodes, "the gateway")
    clock = SystemClock()
    config = NodeConfig(static=(parse_enode(enodes[0]),), redial_seconds=0.2)
    lane = P2PLane(config, Mimicry(clock, chain_id), clock, P2PMetrics(CollectorRegistry()))
    async with running(lane, new_pipeline(chain_id)) as run:
        await until(lambda: len(run.of(TxBody)) >= count, "bodies", 60)
        found = {event.raw for event in run.of(TxBody)}
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return found


def test_generated_transactions_are_valid_and_the_same_every_time():
    first = [raw for raw, _ in zip(generated_transactions(1), range(50), strict=False)]
    again = [raw for raw, _ in zip(generated_transactions(1), range(50), strict=False)]
    assert first == again
    assert {decode_transaction(raw).type for raw in first} == {0, 2}


async def test_a_generator_is_served_at_its_rate():
    found = await bodies_through(generator_source(200), 40, 1337)
    made = [raw for raw, _ in zip(generated_transactions(1), range(2_000), strict=False)]
    assert found <= set(made)


async def test_a_capture_is_served_over_the_wire(request):
    path = request.config.rootpath / SHIPPED
    if not (path / "capture.json").exists():
        pytest.skip("no capture is shipped")
    source = capture_source(path, None)
    found = await bodies_through(source, 20, 31_337)
    assert len(found) >= 20


def test_headers_are_kept_by_number_and_hash_and_replaced_by_a_reorg():
    headers = RecentHeaders()
    headers.add(7, b"\x01" * 32, b"one")
    headers.add(7, b"\x02" * 32, b"two")
    assert headers.find(7) == headers.find(b"\x02" * 32) == (7, b"two")
    assert headers.find(b"\x01" * 32) is None
    for number in range(8, 2_000):
        headers.add(number, number.to_bytes(32, "big"), b"header")
    assert headers.find(7) is None


@pytest.fixture
def enode(tmp_path):
    with (tmp_path / "gateway.json").open("wb") as out:
        process = start(tmp_path, "p2p", "gateway", "--generate", "5", "--json", stdout=out)
    yield json.loads(wait_for((tmp_path / "gateway.json").read_text, "the gateway", 60))["enode"]
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def test_a_probe_says_who_a_peer_is(enode, capsys):
    main_returns(["p2p", "probe", enode, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["client"].startswith("mev_dagster/")
    assert (found["eth_version"], found["network_id"]) == (71, 1337)
    assert found["fork_id"]["next"] == 0
    assert found["handshake_ms"] > 0
    main_returns(["p2p", "probe", enode])
    assert "mev_dagster/" in capsys.readouterr().out


def main_returns(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code in (0, None)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["probe", "enode://nonsense"], 2, "enode: expected"),
        (["probe", f"enode://{'11' * 64}@127.0.0.1:1"], 2, "not a point"),
        (["gateway"], 2, "exactly one of"),
        (["gateway", "--generate", "0"], 2, "--generate"),
        (["gateway", "--rpc", "ws://127.0.0.1:1", "--capture", "x"], 2, "exactly one of"),
    ],
)
def test_bad_usage_is_named(arguments, status, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["p2p", *arguments])
    assert ended.value.code == status
    assert said in capsys.readouterr().err
