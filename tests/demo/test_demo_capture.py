"""The shipped capture: what a subscriber saw of the play, and every block of it exactly executable."""

import json
from pathlib import Path

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.record import prove
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.envelope import BLOB
from mev_dagster.demo import SHIPPED_CAPTURE as CAPTURE
from mev_dagster.demo.cast import Cast
from mev_dagster.demo.market import plan
from mev_dagster.demo.record import DevnetClock, record
from mev_dagster.demo.script import SCRIPT
from mev_dagster.events.types import BlockSeen, TxBody, TxIncluded, TxReplaced, TxSeen
from mev_dagster.events.windows import windows
from mev_dagster.evm.engines import get_engine

SLOT_NS = 12 * 10**9
LATE_NS = 10**9  # what a busy machine may make of a slot


@pytest.fixture(scope="module")
def capture():
    with open_capture(CAPTURE) as opened:
        yield opened


def test_it_verifies_and_every_block_executes_to_the_headers_own_roots(capture):
    report = verify_capture(CAPTURE)
    assert report.ok, report.errors
    prove(CAPTURE, get_engine())
    assert (report.blocks, report.prestates) == (len(SCRIPT), len(SCRIPT))
    assert report.txs > 340
    assert all(capture.prestate(number).complete for number in capture.numbers)
    assert sum(file.stat().st_size for file in CAPTURE.iterdir()) < 1_000_000


def test_its_arrival_times_were_observed_through_the_slots(capture):
    assert not capture.synthetic
    opened = None
    offsets = []
    for event in capture.events():
        if isinstance(event, TxSeen) and opened is not None:
            offsets.append(event.wall_ns - opened)
        elif isinstance(event, BlockSeen):
            opened = event.wall_ns
    assert len(offsets) > 350
    assert 0 < min(offsets) < SLOT_NS // 10
    assert SLOT_NS * 8 // 10 < max(offsets) < SLOT_NS + LATE_NS


def test_each_blocks_window_closes_when_its_slot_does(capture):
    for window in windows(capture.events()):
        if window.number in capture.numbers:
            timestamp = capture.block(window.number).header.timestamp
            assert 0 <= window.closed_ns - timestamp * 10**9 < LATE_NS
            assert window.bodies >= 17


def test_what_landed_had_been_seen_before(capture):
    seen, included = set(), set()
    for event in capture.events():
        if isinstance(event, TxSeen):
            seen.add(event.tx_hash)
        elif isinstance(event, TxIncluded) and event.number in capture.numbers:
            assert event.tx_hash in seen
            included.add(event.tx_hash)
    assert seen - included


def test_replacements_and_blobs_were_seen(capture):
    events = list(capture.events())
    blobs = [event for event in events if isinstance(event, TxBody) and event.raw[0] == BLOB]
    assert len(blobs) == 3
    assert all(len(event.raw) < 1_000 for event in blobs)  # without their sidecars
    assert sum(isinstance(event, TxReplaced) for event in events) == 7


def test_it_names_the_searcher_and_where_everything_is(capture):
    cast = Cast()
    market = plan(cast)
    searcher = capture.searcher
    assert searcher.private_key == cast.searcher.key
    assert (searcher.address, searcher.weth) == (cast.searcher.address, market.weth)
    assert searcher.executor == market.executors[cast.searcher.address]
    assert capture.manifest.contracts["north router"] == market.routers["north"]
    state = capture.prestate(capture.numbers[0])
    assert all(address in state.accounts for address in capture.manifest.contracts.values())


@pytest.mark.anvil
async def test_recorded_again_blocks_states_and_receipts_are_the_shipped_bytes(anvil_binary, tmp_path):
    await record(tmp_path / "again", slot_seconds=0.05, anvil=Path(anvil_binary))
    assert verify_capture(tmp_path / "again").ok
    for part in ("blocks.zst", "prestates.zst", "codes.zst", "receipts.zst"):
        assert (tmp_path / "again" / part).read_bytes() == (CAPTURE / part).read_bytes(), part


def test_no_part_of_the_machine_that_recorded_it_is_in_it(capture):
    manifest = json.loads((CAPTURE / "capture.json").read_text())
    assert manifest["recorded_with"].split(" on ")[1].startswith("anvil/")
    assert {event.source for event in capture.events()} <= {"devnet", "devnet/block", "devnet/txpool"}


def test_the_devnets_clock_starts_at_a_moment_and_runs():
    clock = DevnetClock(1_700_000_000 * 10**9)
    first = clock.wall_ns()
    assert 0 <= first - 1_700_000_000 * 10**9 < 10**9
    assert clock.wall_ns() >= first
