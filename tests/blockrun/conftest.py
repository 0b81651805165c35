"""One block of the shipped capture, looked at once for all tests of its steps."""

import pytest

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.search.inputs import SearchInputs, capture_inputs


@pytest.fixture(scope="session")
def capture():
    with open_capture(SHIPPED_CAPTURE) as opened:
        yield opened


@pytest.fixture(scope="session")
def number(capture: Capture) -> int:
    return capture.numbers[6]


@pytest.fixture(scope="session")
def inputs(capture: Capture, number: int) -> SearchInputs:
    [found] = capture_inputs(capture, number)
    return found
