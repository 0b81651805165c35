"""The devp2p benchmark runs, and its traffic is what it says."""

import tracemalloc

import pytest

from mev_dagster.bench import devp2p, devp2p_hostile
from mev_dagster.bench.devp2p_traffic import announcement, bodies, frames, link_secrets
from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.eth.codec import encode_message
from mev_dagster.devp2p.frames import HEAD_BYTES, RlpxFrameReader


def test_traffic_is_repeatable_and_its_frames_open():
    assert bodies(3, seed=1) == bodies(3, seed=1)
    assert all(tx.hash == keccak(tx.raw) for tx in bodies(5, seed=2))
    message_id, payload = encode_message(announcement(20, seed=1), 70)
    stream = frames(message_id, payload, 2)
    length = RlpxFrameReader(link_secrets()[0]).open_head(stream[:HEAD_BYTES], 1 << 20)
    assert len(stream) == 2 * (HEAD_BYTES + length)


def test_a_handshake_and_mainnets_rate_are_measured():
    for result in (devp2p._handshake(2), devp2p._mainnet(1)):
        assert result.value > 0
        assert result.budget


@pytest.mark.parametrize("stage", ["silent", "half an auth", "no hello", "no status", "half a frame"])
async def test_strangers_are_held_at_their_stage_and_weighed(stage):
    tracemalloc.start()
    try:
        result = await devp2p_hostile._stage(stage, 5, devp2p_hostile.STAGES[stage][1])
    finally:
        tracemalloc.stop()
    assert "5 of 5 held there" in result.note
    floor_kib = 500 if stage == "half a frame" else 0.5
    assert result.value > floor_kib, "each is really there"


async def test_of_many_pending_dials_fifty_are_held():
    result = await devp2p_hostile._knocks(300)
    assert result.note == "50 held, at most 50 may be"
