"""`mev bench`: the JSON that others rely on, and a missed budget that ends with 1."""

import json
from types import SimpleNamespace

import pytest
import typer

from mev_dagster.bench.harness import judge
from mev_dagster.commands import bench
from mev_dagster.errors import InputError


@pytest.fixture
def one_benchmark(monkeypatch):
    def run(options):
        options.step("measuring")
        yield judge("fast", 1.0, "us", limit_value=1.0, at_most_limit=1.5)
        yield judge("slow", 9.0, "us", limit_value=1.0, at_most_limit=1.5, note="why")

    monkeypatch.setattr(bench, "available", lambda: ["decode"])
    monkeypatch.setattr(bench, "import_module", lambda _: SimpleNamespace(run=run))


def test_json_is_one_document_with_every_row(one_benchmark, capsys):
    bench.bench([], as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["ok"]) for row in answer["results"]] == [("fast", True), ("slow", False)]


def test_a_missed_budget_ends_with_1_when_asked(one_benchmark, capsys):
    with pytest.raises(typer.Exit) as ended:
        bench.bench(["decode"], check_budget=True)
    assert ended.value.exit_code == 1
    assert "missed" in capsys.readouterr().out


def test_an_unknown_benchmark_is_bad_input(one_benchmark):
    with pytest.raises(InputError, match="no benchmark 'nosuch'; there are decode"):
        bench.bench(["nosuch"])
