"""Which segments may go: old ones, from the front, and only what the store holds."""

from mev_dagster.events.manifest import Manifest, SealedSegment, prunable


def segment(number: int, last_wall_ns: int) -> SealedSegment:
    return SealedSegment(f"{number}", number * 10, number * 10 + 9, 0, last_wall_ns, 100, "", "")


def test_only_segments_that_the_store_holds_go_and_only_from_the_front():
    manifest = Manifest((segment(0, 5), segment(1, 6), segment(2, 50), segment(3, 7)))
    assert [one.name for one in prunable(manifest, 10, stored_seq=99)] == ["0", "1"]
    assert [one.name for one in prunable(manifest, 10, stored_seq=12)] == ["0"]
    assert prunable(manifest, 10, stored_seq=-1) == ()
