"""When memory counts as level."""

from mev_dagster.drills.memory import MIB, Memory


def an_hour(of) -> Memory:
    memory = Memory()
    for minute in range(60):
        memory.add(minute * 60.0, int(of(minute) * MIB))
    return memory


def test_memory_that_fills_its_caches_and_stays_is_level():
    memory = an_hour(lambda minute: 180 + min(minute, 10))
    assert memory.is_level is True
    assert memory.slope_mib_per_hour == 0


def test_memory_that_keeps_rising_is_not_level():
    memory = an_hour(lambda minute: 180 + minute)
    assert memory.is_level is False
    assert round(memory.slope_mib_per_hour) == 60


def test_a_short_run_is_not_judged():
    memory = Memory()
    memory.add(0.0, 100 * MIB)
    assert memory.is_level is None
    assert memory.slope_mib_per_hour == 0
