"""The log in batches: each ends with a head where there is one, and no event is lost or given twice."""

import pytest
from ingest_events import GENESIS, arrived, block_on, numbered, seen
from ingest_run import new_pipeline, transfer

from mev_dagster.events.types import EventKind
from mev_dagster.windows.head_cutter import HeadCutter
from mev_dagster.windows.rows import batch_of


@pytest.fixture(scope="module")
def batch():
    """Five windows of four sightings, then two sightings more."""
    parent, arrivals = GENESIS, []
    for number in range(5):
        block = block_on(parent)
        arrivals += [*(seen(transfer(4 * number + nonce)) for nonce in range(4)), arrived(block)]
        parent = block.header
    return batch_of(numbered(new_pipeline().accept([*arrivals, seen(transfer(90)), seen(transfer(91))])))


def cut(batch, sizes, **limits):
    """Hand the records out in parts of these sizes; return the sequence numbers of each batch taken."""
    starts = range(0, len(batch), sizes)
    source, cutter, taken = iter([batch.piece(at, at + sizes) for at in starts]), HeadCutter(), []
    while parts := cutter.take(source, **limits):
        taken.append([seq for part in parts for seq in part.headers["seq"].tolist()])
    return taken


@pytest.mark.parametrize("sizes", [1, 3, 7, 100])
@pytest.mark.parametrize("at_least", [1, 6, 100])
def test_batches_end_with_heads_and_lose_nothing_however_the_records_come(batch, sizes, at_least):
    taken = cut(batch, sizes, at_least=at_least)
    assert [seq for seqs in taken for seq in seqs] == list(range(len(batch)))
    kinds = batch.headers["kind"]
    for seqs in taken[:-1]:
        assert kinds[seqs[-1]] == EventKind.BLOCK_SEEN
        assert len(seqs) >= at_least
        assert not any(kinds[seq] == EventKind.BLOCK_SEEN for seq in seqs[at_least - 1 : -1])


@pytest.mark.parametrize("sizes", [1, 3, 100])
def test_a_window_longer_than_a_batch_may_be_is_cut(batch, sizes):
    taken = cut(batch, sizes, at_least=1, at_most=3)
    assert [seq for seqs in taken for seq in seqs] == list(range(len(batch)))
    assert max(map(len, taken)) == 3
