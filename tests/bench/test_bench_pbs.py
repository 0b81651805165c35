"""What `mev bench pbs` measures: a row a stage with its limit, and a reason where it cannot."""

from mev_dagster.bench import pbs
from mev_dagster.bench.harness import Options
from mev_dagster.bench.pbs_loopback import round_trips


def test_without_the_fixtures_it_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("MEV_FIXTURES", str(tmp_path))
    [row] = pbs.run(Options())
    assert row.ok is None
    assert "blocks_prestate" in row.note


async def test_every_block_on_its_way_is_accepted():
    trips, needed = await round_trips(2)
    assert len(trips) == len(needed) == 2
    assert min(trips + needed) > 0
