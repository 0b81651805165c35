"""Two registries do not share counters; block lag is one metric with a stage label."""

from mev_dagster.telemetry.metrics import block_lag, exposition, process_registry


def test_each_registry_counts_for_itself():
    first, second = process_registry(), process_registry()
    block_lag(first).labels("stored").observe(0.3)
    block_lag(second)
    assert first.get_sample_value("mev_block_lag_seconds_count", {"stage": "stored"}) == 1
    assert second.get_sample_value("mev_block_lag_seconds_count", {"stage": "stored"}) is None


def test_the_exposition_is_prometheus_text():
    registry = process_registry()
    block_lag(registry).labels("logged").observe(0.003)
    text, content_type = exposition(registry)
    assert content_type.startswith("text/plain")
    assert b'mev_block_lag_seconds_bucket{le="0.005",stage="logged"} 1.0' in text
    assert b"process_resident_memory_bytes" in text
