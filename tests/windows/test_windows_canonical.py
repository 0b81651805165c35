"""Digests of columns: equal for equal values however Arrow holds them, different for any other value."""

import hashlib

import pyarrow as pa
import pytest

from mev_dagster.windows.canonical import feed

COLUMNS = [
    pa.array([1, None, 3], pa.uint64()),
    pa.array([b"a" * 32, None, b"c" * 32], pa.binary(32)),
    pa.array(["p2p", "", None], pa.string()),
    pa.array([b"\x00", b"", b"\x01\x02"], pa.binary()),
    pa.array([True, False, None]),
    pa.array([[b"x" * 20], [], [b"y" * 20, b"z" * 20]], pa.list_(pa.binary(20))),
    pa.array([[[b"k" * 32], []], [], [[b"l" * 32]]], pa.list_(pa.list_(pa.binary(32)))),
    pa.array([[None], [b"y" * 20], []], pa.list_(pa.binary(20))),
]


def digest(*pieces):
    sha = hashlib.sha256()
    feed(sha, *pieces)
    return sha.digest()


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
def test_a_slice_of_more_and_a_copy_have_the_same_digest(column):
    padded = pa.concat_arrays([column.slice(2), column, column.slice(0, 2)])
    assert digest(padded.slice(1, 3)) == digest(column)
    assert digest(pa.array(column.to_pylist(), column.type)) == digest(column)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
@pytest.mark.parametrize("cuts", [(0, 1, 3), (1, 1, 3), (0, 0, 3), (1, 2, 3), (2, 3, 3)])
def test_a_column_in_pieces_has_the_digest_of_the_whole(column, cuts):
    starts = (0, *cuts[:-1])
    pieces = [column.slice(start, end - start) for start, end in zip(starts, cuts, strict=True)]
    assert digest(*pieces) == digest(column)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
def test_another_order_another_length_or_another_hole_is_another_digest(column):
    assert digest(column.take(pa.array([2, 1, 0]))) != digest(column)
    assert digest(column.slice(0, 2)) != digest(column)
    assert digest(pa.concat_arrays([column.slice(0, 2), pa.nulls(1, column.type)])) != digest(
        pa.concat_arrays([column.slice(0, 2), column.slice(0, 1)])
    )


def test_what_lies_under_a_null_does_not_count():
    values = pa.py_buffer(b"a" * 4 + b"?" * 4)
    valid = pa.py_buffer(b"\x01")
    under = pa.FixedSizeBinaryArray.from_buffers(pa.binary(4), 2, [valid, values])
    assert digest(under) == digest(pa.array([b"aaaa", None], pa.binary(4)))


def test_bytes_that_move_from_one_value_to_the_next_are_noticed():
    assert digest(pa.array([b"ab", b"c"])) != digest(pa.array([b"a", b"bc"]))
    assert digest(pa.array([[b"a"], [b"b"]])) != digest(pa.array([[b"a", b"b"], []]))
