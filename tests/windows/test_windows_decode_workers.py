"""Decode processes give the same columns, in order, and a killed one loses no batch."""

import os
import signal

import pytest

from mev_dagster.chain.columns import decode_columns
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.errors import InputError
from mev_dagster.windows.decode_frames import MAX_FRAME_BYTES, pack_request, unpack_request, write_frame
from mev_dagster.windows.decode_workers import DecodeWorkers


def raw(nonce):
    return sign_transaction(
        bytes(31) + b"\x07",
        type=0,
        chain_id=1,
        nonce=nonce,
        to=bytes(20),
        gas_limit=21_000,
        gas_price_wei=1,
        data=bytes(nonce % 50),
    ).raw


RAWS = [raw(nonce) for nonce in range(60)]


@pytest.fixture(scope="module")
def workers():
    with DecodeWorkers(2) as started:
        yield started


def test_batches_come_back_in_order_and_equal(workers):
    batches = [RAWS[start : start + 7] for start in range(0, 60, 7)]
    decoded = list(workers.map(batches))
    assert [batch.rows for batch in decoded] == [decode_columns(batch).rows for batch in batches]


def test_rejects_cross_with_their_places(workers):
    decoded = workers.submit([b"", RAWS[0], b"\x09", RAWS[1]]).result(timeout=60)
    assert decoded.positions == [1, 3]
    assert [(reject.position, reject.reason) for reject in decoded.rejects] == [
        (0, "empty"),
        (2, "unknown_type"),
    ]
    assert workers.submit([]).result(timeout=60).rows.num_rows == 0


def test_a_killed_worker_is_replaced_and_its_batch_decoded(workers):
    before = workers.restarts
    for pid in workers.pids():
        os.kill(pid, signal.SIGKILL)
    decoded = list(workers.map([RAWS[:5], RAWS[5:9]]))
    assert [batch.rows.num_rows for batch in decoded] == [5, 4]
    assert workers.restarts > before


def test_one_batch_outlives_the_death_of_every_worker(workers):
    for pid in workers.pids():
        os.kill(pid, signal.SIGKILL)
    assert workers.submit(RAWS[:5]).result(timeout=60).rows.num_rows == 5


def test_a_request_is_its_bytes():
    assert unpack_request(pack_request(RAWS)) == RAWS
    assert unpack_request(pack_request([])) == []


def test_a_frame_beyond_the_limit_is_refused_before_anything_is_written(tmp_path):
    with (tmp_path / "pipe").open("wb") as stream, pytest.raises(InputError, match="smaller batches"):
        write_frame(stream, bytes(MAX_FRAME_BYTES), b"1")
    assert (tmp_path / "pipe").stat().st_size == 0
