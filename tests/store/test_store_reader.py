"""`mev_dagster.connect()` and `mev store`, as a researcher uses them."""

import json
from collections.abc import Callable, Iterator

import pytest
from served_store import ServerProcess, emptied
from store_rows import opportunities

import mev_dagster
from mev_dagster import cli
from mev_dagster.settings import settings
from mev_dagster.store.client import Store, open_store

Mev = Callable[..., tuple[int, dict]]


@pytest.fixture
def mev(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Mev]:
    """Run `mev store ... --json` against the embedded server and return its status and document."""

    def run(*arguments: str) -> tuple[int, dict]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["store", *arguments, "--json"])
        printed = capsys.readouterr().out
        return int(ended.value.code or 0), json.loads(printed) if printed else {}

    monkeypatch.setenv("MEV_HOME", str(server.settings.home))
    settings.cache_clear()
    with open_store(server.settings) as store:
        emptied(store).replace("opportunities", {"block_number": 7}, opportunities(2))
    yield run
    settings.cache_clear()


def test_a_researcher_reads_exact_frames(local_store: Store):
    local_store.replace("opportunities", {"block_number": 7}, opportunities(2))
    with mev_dagster.connect(local_store.settings) as reader:
        frame = reader.frame("opportunities", blocks=range(7, 8), columns=["rank", "size_wei"])
        assert frame.to_dict("list") == {"rank": [0, 1], "size_wei": [2**255 + 7] * 2}
        assert sum(frame["size_wei"]) == 2**256 + 14
        assert reader.sql("SELECT max(rank) FROM v_opportunities") == [(1,)]


def test_migrating_a_current_store_changes_nothing(mev: Mev):
    status, migrated = mev("migrate")
    assert (status, migrated["ok"], migrated["created"]) == (0, True, [])
    assert migrated["tables"]["opportunities"]["columns"] > 20


def test_verification_gives_each_table_its_rows_and_digest(mev: Mev):
    status, verified = mev("verify")
    assert (status, verified["ok"], verified["tables"]["opportunities"]["rows"]) == (0, True, 2)


def test_pruning_says_first_what_would_go_and_then_does_it(mev: Mev):
    assert mev("prune", "--dry-run", "--before", "2030-01-01")[1]["rows_pruned"] == 2
    status, pruned = mev("prune", "--before", "2030-01-01")
    assert (status, pruned["tables"]) == (0, {"opportunities": {"rows": 2, "days": ["2023-11-14"]}})
    assert mev("prune", "--before", "2030-01-01")[1]["rows_pruned"] == 0
    assert mev("prune", "--before", "someday") == (2, {})


def test_a_query_prints_bytes_as_hex_and_integers_whole(mev: Mev):
    status, answer = mev("query", "SELECT parent_hash, size_wei FROM opportunities LIMIT 1")
    assert (status, answer["rows"]) == (0, [["0x" + "70" * 32, 2**255 + 7]])
    assert mev("query", "SELECT nothing") == (1, {})
