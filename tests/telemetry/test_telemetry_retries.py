"""The policy of trying again: pauses, deadlines, what is tried again, and the count."""

import random

import pytest
from prometheus_client import CollectorRegistry

from mev_dagster.errors import InputError, NodeUnreachable
from mev_dagster.telemetry.clock import VirtualClock
from mev_dagster.telemetry.retries import AskedAgain, Backoff, Retry, starts_over


class Hands:
    """A clock in seconds that moves when somebody sleeps, and remembers for how long."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Failing:
    """Raises what it is given, one a call, then returns how often it was called."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.calls


LOST = NodeUnreachable("lost")
PLAIN = Backoff(1.0, 8.0, least=1.0)


def loop_of(policy, hands, registry=None):
    return policy.sync(
        rng=random.Random(1), clock=hands, sleep=hands.sleep, registry=registry or CollectorRegistry()
    )


def test_pauses_double_up_to_the_limit():
    hands = Hands()
    tried = loop_of(Retry("node", on=(NodeUnreachable,), backoff=PLAIN), hands)(Failing(*[LOST] * 5))
    assert tried == 6
    assert hands.slept == [1, 2, 4, 8, 8]


def test_jitter_comes_from_the_generator_and_leaves_the_least_share():
    back = Backoff(1.0, 30.0)
    drawn = [back.seconds(1, random.Random(seed)) for seed in range(50)]
    assert 0.5 <= min(drawn) < max(drawn) <= 1.0
    assert drawn == [back.seconds(1, random.Random(seed)) for seed in range(50)]


def test_an_outage_of_weeks_still_has_a_pause():
    assert Backoff().whole_seconds(1_000_000) == 30.0


def test_the_last_failure_is_raised_as_it_was_when_the_tries_are_used_up():
    failing = Failing(*[LOST] * 9)
    with pytest.raises(NodeUnreachable, match="lost"):
        loop_of(Retry("node", on=(NodeUnreachable,), attempts=3), Hands())(failing)
    assert failing.calls == 3


def test_no_pause_reaches_the_deadline():
    hands, failing = Hands(), Failing(*[LOST] * 9)
    with pytest.raises(NodeUnreachable):
        loop_of(Retry("node", on=(NodeUnreachable,), within_seconds=7.0, backoff=PLAIN), hands)(failing)
    assert hands.slept == [1, 2]


def test_what_no_further_try_can_mend_is_raised_at_once():
    failing = Failing(InputError("wrong flag"))
    with pytest.raises(InputError):
        loop_of(Retry("lane", on=(Exception,), never=(InputError,)), Hands())(failing)
    assert failing.calls == 1


def test_a_try_may_say_itself_how_long_to_wait():
    hands = Hands()
    loop_of(Retry("relay"), hands)(Failing(AskedAgain("rate_limited", 0.7)))
    assert hands.slept == [0.7]


def test_further_tries_are_counted_by_their_reason():
    registry = CollectorRegistry()
    policy = Retry("node", on=(Exception,))
    loop_of(policy, Hands(), registry)(Failing(LOST, LOST, ZeroDivisionError(), AskedAgain("not_yet", 1)))
    counted = {
        reason: registry.get_sample_value("mev_retries_total", {"what": "node", "reason": reason})
        for reason in ("unreachable", "ZeroDivisionError", "not_yet")
    }
    assert counted == {"unreachable": 2, "ZeroDivisionError": 1, "not_yet": 1}


async def test_a_task_waits_on_its_clock_and_starts_over_after_a_success():
    clock, failing = VirtualClock(), Failing(*[LOST] * 4)
    policy = Retry("node", on=(NodeUnreachable,), backoff=PLAIN)
    async for attempt in policy.asynchronous(clock, registry=CollectorRegistry()):
        with attempt:
            if failing.calls == 2:
                starts_over(attempt.retry_state)
            failing()
    assert clock.mono_ns() == (1 + 2 + 1 + 2) * 10**9
