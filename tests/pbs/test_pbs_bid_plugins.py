"""A bidding strategy or a relay of another package that fails costs a bid or a submission, not the block."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from mev_dagster import plugins
from mev_dagster.errors import InputError, PluginFailed, RelayUnreachable
from mev_dagster.pbs.bid_strategies import bid_strategy
from mev_dagster.pbs.bidding import BidContext
from mev_dagster.pbs.client import guarded
from mev_dagster.pbs.client.registry import relay_clients
from mev_dagster.pbs.client.report import SubmissionEnd
from mev_dagster.plugins import Plugin
from mev_dagster.settings import RelayItem
from mev_dagster.telemetry.tracing import Tracing

WORTH = BidContext(1_000)


@pytest.fixture
def installed(monkeypatch):
    """Put one plug-in beside ours, as if another package had brought it."""
    found, counted = plugins.load, plugins.FailureCounter()
    monkeypatch.setattr(plugins, "FAILURES", counted)

    def install(kind, hook):
        theirs = Plugin(kind, "theirs", "another", hook)
        monkeypatch.setattr(plugins, "load", lambda asked: (*found(asked), theirs))
        return counted

    return install


def endless(context):
    while True:
        pass


def raising(*_):
    raise RuntimeError("no bid today")


@pytest.mark.parametrize(
    ("bid", "offered", "failures"),
    [
        (lambda context: context.block_value_wei // 2, 500, 0),
        (lambda context: None, None, 0),
        (raising, None, 1),
        (lambda context: 1.5, None, 1),
        (lambda context: True, None, 1),
    ],
)
def test_a_bid_of_another_package_is_an_amount_or_nothing(installed, bid, offered, failures):
    counted = installed("bids", lambda: SimpleNamespace(bid=bid))
    assert bid_strategy("theirs", {}).bid(WORTH) == offered
    assert counted.count("bids", "raised") == failures


def test_a_bid_that_never_ends_is_none_and_is_asked_for_once_a_block(installed, monkeypatch):
    counted, bounded = installed("bids", lambda: SimpleNamespace(bid=endless)), plugins.bounded
    monkeypatch.setattr(plugins, "bounded", lambda plugin, call, seconds: bounded(plugin, call, seconds=0.1))
    strategy = bid_strategy("theirs", {})
    with plugins.one_block():
        assert [strategy.bid(WORTH) for _ in range(3)] == [None] * 3
    assert counted.count("bids", "timed_out") == 1


def test_a_strategy_that_could_not_be_loaded_bids_nothing(monkeypatch):
    failure = PluginFailed("bids", "theirs", "another", "import_failed", "no such module")
    monkeypatch.setattr(plugins, "left_out", lambda kind: (failure,))
    assert bid_strategy("theirs", {}).bid(WORTH) is None


@pytest.mark.parametrize("maker", [None, 7])
def test_what_makes_no_strategy_is_named(installed, maker):
    installed("bids", maker)
    with pytest.raises(InputError, match="bidding strategy theirs"):
        bid_strategy("theirs", {})


class Client:
    """A relay's client whose every question is answered by what it was made with."""

    def __init__(self, answer):
        self._answer = answer

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def submit(self, submission, *, deadline_ns, superseded, parent=None):
        return await self._answer()

    async def receipts(self, block_hash):
        return await self._answer()

    duty_of_block = post_slot = receipts


async def waits():
    await asyncio.Event().wait()


async def fails():
    raise RuntimeError("out of order")


async def blocks():
    time.sleep(3)  # what a careless client does: nobody else's loop may stand still for it


async def exits():
    raise SystemExit(1)


async def nonsense():
    return "accepted"


def client_of(installed, tmp_path, answer):
    counted = installed("relays", lambda item, tracing, breaker: Client(answer))
    item = RelayItem(url="http://127.0.0.1:9", name="odd", kind="theirs")
    (client,) = relay_clients([item], home=tmp_path, tracing=Tracing("builder"))
    return client, counted


@pytest.mark.parametrize(
    ("answer", "ended", "reason"),
    [
        (waits, SubmissionEnd.DEADLINE, "timed_out"),
        (blocks, SubmissionEnd.DEADLINE, "timed_out"),
        (fails, SubmissionEnd.UNKNOWN, "raised"),
        (exits, SubmissionEnd.UNKNOWN, "raised"),
        (nonsense, SubmissionEnd.UNKNOWN, "raised"),
    ],
)
async def test_a_client_that_fails_ends_its_own_submission(installed, tmp_path, answer, ended, reason):
    client, counted = client_of(installed, tmp_path, answer)
    async with client:
        report = await client.submit(None, deadline_ns=client.clock.mono_ns(), superseded=lambda: False)
    assert (report.relay, report.ended, report.attempts, report.accepted) == ("odd", ended, (), False)
    assert counted.count("relays", reason) == 1


async def test_one_that_blocks_keeps_no_other_relay_waiting(installed, tmp_path):
    client, _ = client_of(installed, tmp_path, blocks)
    async with client:
        submitting = asyncio.create_task(
            client.submit(None, deadline_ns=client.clock.mono_ns() + 2 * 10**9, superseded=lambda: False)
        )
        turns = 0
        while not submitting.done():
            await asyncio.sleep(0)
            turns += 1
    assert turns > 100
    assert (await submitting).ended is SubmissionEnd.DEADLINE


@pytest.mark.parametrize("answer", [waits, blocks, fails])
async def test_a_client_that_knows_no_proposer_is_a_relay_that_cannot_be_reached(
    installed, tmp_path, monkeypatch, answer
):
    client, _ = client_of(installed, tmp_path, answer)
    monkeypatch.setattr(guarded.GuardedRelay._asked, "__defaults__", (0.05,))
    async with client:
        with pytest.raises(RelayUnreachable):
            await client.duty_of_block(7)


@pytest.mark.parametrize("made", [raising, lambda *_: object()])
def test_a_client_that_cannot_be_made_is_left_out(installed, tmp_path, made):
    installed("relays", made)
    items = [RelayItem(url="http://127.0.0.1:9", name=name, kind=name) for name in ("theirs", "http")]
    found = relay_clients(items, home=tmp_path, tracing=Tracing("builder"))
    assert [client.endpoint.name for client in found] == ["http"]
