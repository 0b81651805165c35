"""Damaged input is refused with a typed error or read as something valid; nothing else ever happens."""

import devp2p_fuzz
import pytest

SHORT = 300
LONG = 1_000_000


@pytest.mark.parametrize("target", sorted(devp2p_fuzz.TARGETS))
def test_damaged_input_raises_only_typed_errors(target):
    assert devp2p_fuzz.run(target, 0, SHORT) > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("target", sorted(devp2p_fuzz.TARGETS))
def test_a_million_cases(target):
    devp2p_fuzz.run(target, SHORT, LONG)
