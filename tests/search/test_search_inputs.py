"""What a capture gives a search to start from: blocks that it has a state for, or the one asked for."""

from types import SimpleNamespace

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.errors import CaptureError, InputError
from mev_dagster.search.inputs import capture_inputs


@pytest.fixture(scope="module")
def capture():
    with open_capture(SHIPPED_CAPTURE) as opened:
        yield opened


def view_of(capture, *, states=None, block=None):
    """The capture as it would be with only some of its states, or another block in the place of one."""
    numbers = set(capture.numbers if states is None else states)
    return SimpleNamespace(
        path=capture.path,
        chain_id=capture.chain_id,
        searcher=capture.searcher,
        events=capture.events,
        prestate=capture.prestate,
        has_prestate=lambda number: number in numbers and capture.has_prestate(number),
        block=lambda number: block or capture.block(number),
    )


def test_every_block_with_a_state_is_searched_and_no_other(capture):
    every_other = capture.numbers[1::2]
    found = [inputs.env.number for inputs in capture_inputs(view_of(capture, states=every_other))]
    assert found == list(every_other)


def test_the_block_that_is_asked_for_is_the_only_one(capture):
    number = capture.numbers[4]
    [inputs] = capture_inputs(capture, number)
    assert inputs.env.number == number
    assert inputs.searcher is not None


def test_a_block_without_a_state_is_refused(capture):
    number = capture.numbers[4]
    with pytest.raises(InputError, match=f"no state before block {number}"):
        list(capture_inputs(view_of(capture, states=[]), number))


def test_a_capture_whose_events_name_another_block_is_refused(capture):
    number, other = capture.numbers[4:6]
    with pytest.raises(CaptureError, match=f"block {number} is"):
        list(capture_inputs(view_of(capture, block=capture.block(other)), number))
