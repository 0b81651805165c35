"""A result that is made when it is read is the reference's in every way it can be looked at."""

import copy
import pickle
from dataclasses import fields, replace

import pytest
from evm_worlds import ALICE, CONTRACT, NEEDS_NATIVE, PRAGUE, transaction, world

from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.types import TxResult

pytestmark = NEEDS_NATIVE

COUNTER = b"\x5f\x54\x60\x01\x01\x80\x5f\x55\x5f\x52\x60\x20\x5f\xa0\x00"


@pytest.fixture
def both():
    txs = [transaction(0), transaction(1, value_wei=5), transaction(2, gas_limit=22_000)]
    return [get_engine(name).session(world(COUNTER), PRAGUE).run(txs) for name in ("py_evm", "revm")]


def test_every_field_is_the_references_whichever_is_read_first(both):
    reference, _ = both
    names = [field.name for field in fields(TxResult)]
    for first in names:
        told = (
            get_engine("revm")
            .session(world(COUNTER), PRAGUE)
            .run([transaction(0), transaction(1, value_wei=5), transaction(2, gas_limit=22_000)])
        )
        for mine, theirs in zip(told.txs, reference.txs, strict=True):
            assert getattr(mine, first) == getattr(theirs, first)
            assert [getattr(mine, name) for name in names] == [getattr(theirs, name) for name in names]


def test_it_equals_prints_copies_and_pickles_as_the_plain_one(both):
    reference, told = both
    for mine, theirs in zip(told.txs, reference.txs, strict=True):
        assert mine == theirs
        assert theirs == mine
        assert mine != replace(theirs, gas_used=1)
        assert mine != "a result"
        assert repr(mine) == repr(theirs)
        for other in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
            assert (type(other), other) == (TxResult, theirs)
        assert replace(mine, gas_used=1) == replace(theirs, gas_used=1)
        with pytest.raises(AttributeError, match="no attribute 'gas'"):
            mine.gas  # noqa: B018
        with pytest.raises(AttributeError):
            mine.gas_used = 5


def test_changes_are_a_mapping_like_any_other(both):
    reference, told = both
    mine, theirs = told.state_diff, reference.state_diff
    assert mine == theirs
    assert theirs == mine
    assert (list(mine), len(mine)) == (list(theirs), len(theirs))
    assert mine[CONTRACT] is mine[CONTRACT]
    assert (b"\x99" * 20 in mine, b"short" in mine, ALICE in mine) == (False, False, ALICE in theirs)
    with pytest.raises(KeyError):
        mine[b"\x99" * 20]
    assert repr(mine) == repr(dict(theirs))
    assert pickle.loads(pickle.dumps(mine)) == dict(theirs)


def test_what_a_session_told_does_not_change_with_it():
    session = get_engine("revm").session(world(COUNTER), PRAGUE)
    first = session.run([transaction(0)])
    session.commit([transaction(1), transaction(2)])
    again = get_engine("revm").session(world(COUNTER), PRAGUE).run([transaction(0)])
    del session
    assert first == again
