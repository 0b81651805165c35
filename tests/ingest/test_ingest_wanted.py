"""One attempt is never final: what is wanted is asked for again, until it is had or too old."""

from itertools import pairwise

from mev_dagster.ingest.lanes.wanted import FIRST_PAUSE_NS, LONGEST_PAUSE_NS, WantedBodies
from mev_dagster.units import NS_PER_SECOND

HASH = b"\x01" * 32


def attempts(wanted: WantedBodies, until_ns: int) -> list[int]:
    """Ask whenever something is due and return when that was."""
    times = []
    while (due_ns := wanted.next_due_ns()) is not None and due_ns <= until_ns:
        times += [due_ns] * len(wanted.due(due_ns, 10))
    return times


def test_pauses_double_up_to_a_slot():
    wanted = WantedBodies(lambda _: False)
    wanted.want(HASH, 0)
    times = attempts(wanted, 60 * NS_PER_SECOND)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[:3] == [FIRST_PAUSE_NS, 2 * FIRST_PAUSE_NS, 4 * FIRST_PAUSE_NS]
    assert pauses[-1] == LONGEST_PAUSE_NS


def test_what_the_log_has_got_from_anywhere_is_not_asked_for_again():
    had: set[bytes] = set()
    wanted = WantedBodies(had.__contains__)
    wanted.want(HASH, 0)
    assert wanted.due(0, 10) == [HASH]
    had.add(HASH)
    assert (wanted.due(NS_PER_SECOND, 10), len(wanted), wanted.expired) == ([], 0, 0)


def test_what_never_comes_expires_and_is_counted():
    wanted = WantedBodies(lambda _: False, life_ns=NS_PER_SECOND)
    wanted.want(HASH, 0)
    attempts(wanted, 10 * NS_PER_SECOND)
    assert (len(wanted), wanted.expired) == (0, 1)


def test_a_provider_that_asks_for_patience_costs_no_attempt():
    wanted = WantedBodies(lambda _: False)
    wanted.want(HASH, 0)
    now_ns = 0
    for _ in range(50):
        assert wanted.due(now_ns, 10) == [HASH]
        wanted.put_off(HASH, now_ns)
        now_ns += FIRST_PAUSE_NS
    assert len(wanted) == 1


def test_a_hash_is_wanted_once_and_no_more_than_fit():
    wanted = WantedBodies(lambda _: False, capacity=1)
    assert [wanted.want(HASH, 0), wanted.want(HASH, 0), wanted.want(b"\x02" * 32, 0)] == [True, True, False]
    assert wanted.due(0, 10) == [HASH]
