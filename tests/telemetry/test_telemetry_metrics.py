"""Registries of their own, families written once, bounded series, and ages that grow by themselves."""

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mev_dagster.telemetry.catalogue import ROOMS, BlockMetrics, DeclaredIngestMetrics
from mev_dagster.telemetry.metric import MAX_LABEL_SETS, RoomMetrics, counter
from mev_dagster.telemetry.metrics import ClockStep, GrowingAge, exposition, process_registry
from mev_dagster.units import NS_PER_SECOND


class Hands:
    """A wall clock and a monotonic one, each set by hand."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_800_000_000 * NS_PER_SECOND, 0

    def wall_ns(self) -> int:
        return self.wall

    def mono_ns(self) -> int:
        return self.mono

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def test_each_registry_counts_for_itself():
    first, second = process_registry(), process_registry()
    BlockMetrics(first).block_lag.labels("stored").observe(0.3)
    BlockMetrics(second)
    assert first.get_sample_value("mev_block_lag_seconds_count", {"stage": "stored"}) == 1
    assert second.get_sample_value("mev_block_lag_seconds_count", {"stage": "stored"}) is None


def test_whoever_asks_for_a_room_on_one_registry_gets_the_same_metrics():
    registry = CollectorRegistry()
    assert BlockMetrics.on(registry) is BlockMetrics.on(registry)
    assert BlockMetrics.on(registry) is not BlockMetrics.on(CollectorRegistry())


def test_the_exposition_is_prometheus_text_and_tells_the_build():
    registry = process_registry()
    BlockMetrics(registry).block_lag.labels("logged").observe(0.003)
    text, content_type = exposition(registry)
    assert content_type.startswith("text/plain")
    assert b'mev_block_lag_seconds_bucket{le="0.005",stage="logged"} 1.0' in text
    assert b"process_resident_memory_bytes" in text
    assert b'mev_build_info{python="' in text


def test_a_family_that_two_collectors_count_is_written_once():
    class Another:
        def collect(self):
            other = CollectorRegistry()
            BlockMetrics(other).block_lag.labels("searched").observe(1)
            yield from other.collect()

    registry = CollectorRegistry()
    BlockMetrics(registry).block_lag.labels("logged").observe(1)
    registry.register(Another())
    families = [
        one
        for one in text_string_to_metric_families(exposition(registry)[0].decode())
        if one.name == "mev_block_lag_seconds"
    ]
    assert [sorted({sample.labels["stage"] for sample in one.samples}) for one in families] == [
        ["logged", "searched"]
    ]


def test_labels_from_outside_make_a_bounded_number_of_series():
    class Toy(RoomMetrics):
        said = counter("toy_said_total", "words", "What peers said", "word")

    registry = CollectorRegistry()
    toy = Toy(registry)
    for number in range(2 * MAX_LABEL_SETS):
        toy.said.labels(f"word{number}").inc()
    toy.said.labels(word="word0").inc()
    series = {s.labels["word"]: s.value for f in registry.collect() for s in f.samples if "total" in s.name}
    assert len(series) == MAX_LABEL_SETS + 1
    assert (series["word0"], series["other"]) == (2, MAX_LABEL_SETS)


def test_an_age_grows_while_nothing_happens_and_no_set_clock_changes_it():
    clock = Hands()
    age = GrowingAge(clock)
    age.renew(3 * NS_PER_SECOND)
    clock.mono += 60 * NS_PER_SECOND
    clock.wall -= 3_600 * NS_PER_SECOND
    assert age.seconds() == 63


def test_a_wall_clock_that_is_set_shows_as_the_step():
    clock = Hands()
    step = ClockStep(clock)
    clock.mono += 5 * NS_PER_SECOND
    clock.wall += (5 - 10) * NS_PER_SECOND
    assert step.seconds() == -10


def test_every_metric_is_declared_once_with_a_meaning_and_known_labels():
    from mev_dagster.telemetry.catalogue import LABELS

    declared = [one for room in ROOMS for one in room.declared()]
    names = [one.name for one in declared]
    assert sorted(names) == sorted(set(names))
    assert {label for one in declared for label in one.labels} == set(LABELS)
    assert all(one.meaning and one.unit for one in declared)
    assert all(one.name.endswith("_total") == (one.kind_name == "counter") for one in declared)
    assert "mev_head_age_seconds" in [one.name for one in DeclaredIngestMetrics.declared()]
