"""A head's age grows by itself, and each of the daemon's stages is measured from the head's arrival."""

from dataclasses import replace

import pytest
from ingest_events import GENESIS
from prometheus_client import CollectorRegistry

from mev_dagster.chain.blocks import Block, encode_header, header_hash
from mev_dagster.events.types import BlockSeen, Lane
from mev_dagster.ingest.arrivals import BlockArrived
from mev_dagster.ingest.backlog_age import MARKS, BacklogAge
from mev_dagster.ingest.head_lags import HeadLags
from mev_dagster.telemetry.clock import VirtualClock
from mev_dagster.units import NS_PER_SECOND

T0 = 1_800_000_000
LAG = "mev_block_lag_seconds"


@pytest.fixture
def clock():
    return VirtualClock(T0 * NS_PER_SECOND)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def lags(registry, clock):
    return HeadLags(registry, clock)


def arrived(clock, lane: Lane = Lane.RPC, *, of_s: int = T0) -> tuple[BlockArrived, BlockSeen]:
    """A block of second `of_s` that arrived just now, and the head event it becomes."""
    header, now = replace(GENESIS, timestamp=of_s), clock.wall_ns()
    block = Block(header_hash(header), header, ())
    head = BlockSeen(
        *(-1, now, now, lane, "node", header.number, block.hash, header.parent_hash),
        *(encode_header(header), ()),
    )
    return BlockArrived(now, now, lane, "node", block), head


async def test_the_age_of_a_head_grows_while_the_chain_is_silent(lags, clock):
    _, head = arrived(clock, of_s=T0 - 2)
    lags.logged(0, head)
    assert lags.age.seconds() == 2
    await clock.sleep(90)
    assert lags.age.seconds() == 92


async def test_a_node_that_never_shows_a_head_makes_the_daemon_old(lags, clock):
    await clock.sleep(75)
    assert lags.age.seconds() == 75


@pytest.mark.parametrize("lane", [Lane.RPC, Lane.CAPTURE])
async def test_every_stage_is_measured_from_the_arrival(registry, lags, clock, lane):
    block, head = arrived(clock, lane)
    await clock.sleep(1)
    lags.fetched([block])
    await clock.sleep(2)
    lags.logged(7, head)
    await clock.sleep(4)
    lags.stored(7, head.wall_ns, int(lane))
    waited = 1 if lane is Lane.RPC else 0  # a capture's head arrives when it is read
    sums = [registry.get_sample_value(f"{LAG}_sum", {"stage": s}) for s in ("fetched", "logged", "stored")]
    assert sums == [waited, waited + 2, waited + 6]


async def test_a_head_that_an_earlier_process_logged_is_late_by_the_wall_clock(registry, lags, clock):
    lags.stored(7, clock.wall_ns() - 30 * NS_PER_SECOND, int(Lane.RPC))
    assert registry.get_sample_value(f"{LAG}_sum", {"stage": "stored"}) == 30


async def test_the_oldest_event_that_is_not_stored_gives_the_backlogs_age(clock):
    age = BacklogAge(clock)
    assert age.seconds(-1) == 0
    for seq in (9, 19, 29):
        age.logged(seq)
        await clock.sleep(10)
    assert (age.seconds(-1), age.seconds(9), age.seconds(29)) == (30, 20, 0)


async def test_a_long_outage_of_the_store_keeps_few_marks_and_the_oldest(clock):
    age = BacklogAge(clock)
    for seq in range(3 * MARKS):
        age.logged(seq)
        await clock.sleep(1)
    assert age.seconds(-1) == 3 * MARKS
