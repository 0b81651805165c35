"""A capture goes the live path: any speed gives the same events, and a log that holds part gets the rest."""

import asyncio

import pytest
from ingest_events import GENESIS, block_on
from ingest_run import new_pipeline, running, transfer

from mev_dagster.captures.format import CaptureWriter, open_capture
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.captures.synthetic import RULE, synthetic_events
from mev_dagster.errors import WrongChain
from mev_dagster.events.types import BlockSeen, Lane, TxBody, TxIncluded, TxSeen
from mev_dagster.ingest.lanes.capture import CaptureLane
from mev_dagster.node.identity import ChainPin
from mev_dagster.telemetry.clock import VirtualClock


@pytest.fixture
def capture(tmp_path):
    with CaptureWriter(
        tmp_path / "capture",
        chain_id=31337,
        arrival_times=ArrivalTimes.SYNTHETIC,
        recorded_with="test",
        synthetic_rule=RULE,
    ) as writer:
        parent = GENESIS
        for number in range(3):
            block = block_on(parent, transfer(2 * number), transfer(2 * number + 1))
            writer.add_block(block)
            for event in synthetic_events(block):
                writer.add_event(event)
            parent = block.header
    return open_capture(tmp_path / "capture")


async def played(capture, pipeline, speed, clock=None):
    lane = CaptureLane(capture, clock or VirtualClock(), speed=speed, chain=pipeline.chain.copy())
    async with running(lane, pipeline) as run:
        await asyncio.wait_for(run.lane_task, 10)
    return run


async def test_a_capture_brings_sightings_bodies_and_blocks_with_their_captured_times(capture):
    run = await played(capture, new_pipeline(), None)
    assert [block.number for block in run.of(BlockSeen)] == [1, 2, 3]
    assert (len(run.of(TxSeen)), len(run.of(TxBody)), len(run.of(TxIncluded))) == (6, 6, 6)
    assert {event.lane for event in run.events} == {Lane.CAPTURE}
    assert all(event.synthetic for event in run.of(TxSeen))
    assert [block.wall_ns for block in run.of(BlockSeen)] == [12 * 10**9, 24 * 10**9, 36 * 10**9]


@pytest.mark.parametrize("speed", [1.0, 60.0])
async def test_any_speed_gives_the_same_events_in_proportional_time(capture, speed):
    clock = VirtualClock()
    paced = await played(capture, new_pipeline(), speed, clock)
    at_once = await played(capture, new_pipeline(), None)
    assert paced.events == at_once.events
    span_ns = paced.events[-1].wall_ns - paced.events[0].wall_ns
    assert clock.mono_ns() == pytest.approx(span_ns / speed, rel=1e-6)


async def test_a_log_that_holds_part_of_the_capture_gets_the_rest(capture):
    whole = await played(capture, new_pipeline(), None)
    cut = whole.events.index(whole.of(BlockSeen)[1]) + 1
    pipeline = new_pipeline()
    pipeline.restore(whole.events[:cut])
    rest = await played(capture, pipeline, None)
    assert rest.events == whole.events[cut:]
    again = await played(capture, pipeline, None)
    assert again.events == []


async def test_a_capture_of_another_chain_than_the_log_is_refused(capture):
    lane = CaptureLane(capture, VirtualClock(), pin=ChainPin(chain_id=1))
    async with running(lane, new_pipeline()) as run:
        with pytest.raises(WrongChain, match="expected chain id 1, the node says 0x7a69"):
            await run.lane_task
    assert not run.events
