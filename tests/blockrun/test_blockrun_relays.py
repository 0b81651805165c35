"""A stored block goes to every relay at once; what fails at one is its row, and no other's trouble."""

import socket
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

from mev_dagster.blockrun import steps
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.types import BidTrace, ConsensusFork, ExecutionPayload, SubmitBlockRequest

HASH = b"\x05" * 32


@pytest.fixture
def run(monkeypatch):
    payload = ExecutionPayload(
        *(bytes(32), bytes(20), bytes(32), bytes(32), bytes(256), bytes(32)), 7, 1, 1, 1, b"", 1, HASH, ()
    )
    message = BidTrace(7, bytes(32), HASH, bytes(48), bytes(48), bytes(20), 1, 1, 5)
    unsigned = SubmitBlockRequest(ConsensusFork.BELLATRIX, message, payload, bytes(96))
    block = SimpleNamespace(unsigned=unsigned, bid_wei=5, opportunity_ids=(), parent=None, relays=())
    monkeypatch.setattr(steps, "stored_blocks", lambda *_: (block,))
    monkeypatch.setattr(steps, "context_for", lambda *_: SimpleNamespace(consensus_fork=unsigned.fork))
    stored = {}
    return SimpleNamespace(
        number=7,
        block=None,
        store=None,
        source=SimpleNamespace(schedule=None),
        span=SimpleNamespace(block_hash=HASH),
        fence=SimpleNamespace(check=lambda: None),
        keys=Keyring.test_only("relays"),
        deadline_ms=300,
        lost_its_block=lambda: False,
        stored=stored,
        replace=lambda table, where, columns: stored.update({table: columns}),
    )


async def test_each_relay_that_fails_has_its_rows_and_the_run_goes_on(run):
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoints = [
            RelayEndpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", name="silent"),
            RelayEndpoint(f"http://127.0.0.1:{closed.getsockname()[1]}", name="closed"),
            RelayEndpoint("http://192.0.2.7:18550", name="elsewhere"),
        ]
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(RelayClient(one)) for one in endpoints]
            submitted = await steps.submit_stored(run, clients)
    rows = run.stored["relay_submissions"]
    ended = dict(zip(rows["relay"], rows["error_class"], strict=True))
    assert ended == {"silent": "deadline", "closed": "transient", "elsewhere": "refused"}
    assert not any(rows["accepted"])
    assert [one.report.relay for one in submitted.handed_over] == ["silent", "closed", "elsewhere"]
