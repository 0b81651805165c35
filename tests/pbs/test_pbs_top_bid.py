"""Whoever listens is told of every new best bid, and the page says of every bid what became of it."""

import asyncio
from dataclasses import replace

import aiohttp
from pbs_sandbox import changed, connected, make_relay, make_submission, offer, running

from mev_dagster.pbs.sandbox.page import page
from mev_dagster.pbs.sandbox.relay import RelayRules
from mev_dagster.pbs.sandbox.top_bid import FRAME_BYTES, FRAMES_WAITING, TOP_BID_UPDATE, TopBids, TopBidUpdate

UPDATE = TopBidUpdate(1_800_000_000_123, 7, 5, b"\x01" * 32, b"\x02" * 32, b"\x03" * 48, b"\x04" * 20, 10**18)


def test_a_frame_is_its_fields_in_order_and_188_bytes():
    frame = TOP_BID_UPDATE.encode(UPDATE)
    assert len(frame) == FRAME_BYTES
    assert frame[:24] == b"".join(number.to_bytes(8, "little") for number in (1_800_000_000_123, 7, 5))
    assert frame[24:156] == b"\x01" * 32 + b"\x02" * 32 + b"\x03" * 48 + b"\x04" * 20
    assert int.from_bytes(frame[156:], "little") == 10**18


async def test_a_slow_listener_loses_the_oldest_frames_and_they_are_counted():
    bids = TopBids()
    frames = bids.frames()
    first = asyncio.ensure_future(anext(frames))
    await asyncio.sleep(0)
    for value in range(FRAMES_WAITING + 3):
        bids.publish(replace(UPDATE, value=value))
    assert TOP_BID_UPDATE.decode(memoryview(await first)).value >= 2
    assert bids.lost >= 2
    await frames.aclose()


async def test_a_better_bid_is_streamed_a_lower_one_is_not():
    relay = make_relay()
    low, high = make_submission(relay, tip_gwei=20), make_submission(relay, tip_gwei=50)
    async with (
        running(relay) as url,
        aiohttp.ClientSession() as session,
        session.ws_connect(url + "/relay/v1/builder/top_bid") as socket,
    ):
        for submission in (low, high):
            await relay.submit(submission)
        await relay.submit(changed(low, message={"gas_limit": low.message.gas_limit}))
        frames = [await socket.receive_bytes(timeout=20) for _ in range(2)]
    told = [TOP_BID_UPDATE.decode(memoryview(frame)) for frame in frames]
    assert [update.block_hash for update in told] == [low.message.block_hash, high.message.block_hash]
    assert [update.value for update in told] == [low.message.value, high.message.value]
    assert told[0].slot == low.message.slot


async def test_the_page_shows_the_best_bid_and_why_another_was_refused():
    relay = make_relay(rules=RelayRules(floor_wei=1))
    good = make_submission(relay)
    poor = changed(good, message={"value": 1})
    foul = changed(good, message={"proposer_fee_recipient": b"\x66" * 20})
    async with connected(relay) as client:
        for submission in (good, poor, foul):
            await offer(client, submission)
    text = page(relay)
    assert f"Slot {good.message.slot}" in text
    assert text.count(">best<") == 1
    assert "fee recipient does not match" in text
    assert "below floor" in text


async def test_the_page_is_served_and_holds_no_foreign_markup():
    relay = make_relay()
    relay.faults.rules = ()
    async with running(relay) as url, aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        text = await answer.text()
    assert "No bid yet" in text
    assert "http://" not in text
    assert "<script" not in text
