"""The rows of `docs/extending.md` that are no plug-ins: in a copy of the tree, what they name is enough."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("mev_dagster", "assets", "sensors", "resources")
NEEDED = (*PACKAGES, "ops", "docs", "tests/telemetry", "tests/shared", "tests/conftest.py", "pyproject.toml")


@pytest.fixture
def tree(tmp_path):
    for name in NEEDED:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    return tmp_path


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1, f"{before!r} stands once in {path.name}"
    path.write_text(text.replace(before, after))


def run(tree: Path, *arguments: str) -> str:
    ours = os.environ | {
        "PYTHONPATH": str(tree),
        "MEV_HOME": str(tree / "home"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False, cwd=tree, env=ours, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_a_command_is_a_file_and_a_line(tree):
    (tree / "mev_dagster/commands/toy.py").write_text(
        """import typer

app = typer.Typer()


@app.command()
def toy() -> None:
    print("said")
"""
    )
    edit(
        tree / "mev_dagster/cli.py",
        '    "backtest": (',
        '    "toy": ("toy", "what a toy says"),\n    "backtest": (',
    )
    assert run(tree, "-m", "mev_dagster", "toy") == "said\n"
    assert "what a toy says" in run(tree, "-m", "mev_dagster", "--help")


def test_a_table_is_a_file(tree):
    (tree / "mev_dagster/store/schema/toys.sql").write_text(
        """-- What the toys said.
CREATE TABLE IF NOT EXISTS toys
(
    toy String COMMENT 'which toy',
    said_wei UInt256 COMMENT 'what it said',
    event_time DateTime64(9, 'UTC') COMMENT 'when it spoke',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written'
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(event_time)
ORDER BY (toy)
TTL toDateTime(stored_at) + INTERVAL {retention_days_transactions} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
"""
    )
    program = (
        "from mev_dagster.settings import settings\n"
        "from mev_dagster.store.client import Store\n"
        "from mev_dagster.store.endpoint import connect_in_process\n"
        "client = connect_in_process(settings())\n"
        "store = Store(client, settings())\n"
        "store.migrate()\n"
        "client.command(\"INSERT INTO toys (toy, said_wei, event_time) VALUES ('bear', 7, now64(9))\")\n"
        "print(client.query('SELECT toy, said_wei FROM toys').result_rows)\n"
    )
    assert run(tree, "-c", program).splitlines()[-1] == "[('bear', 7)]"


def test_a_metric_is_a_line_and_where_it_is_counted(tree):
    edit(
        tree / "mev_dagster/telemetry/catalogue.py",
        '    refused = counter("mev_http_refused_total"',
        '    toys = counter("mev_toys_total", "toys", "Toys that spoke", "code")\n'
        '    refused = counter("mev_http_refused_total"',
    )
    program = (
        "from prometheus_client import CollectorRegistry, generate_latest\n"
        "from mev_dagster.telemetry.catalogue import DoorMetrics\n"
        "registry = CollectorRegistry()\n"
        'DoorMetrics(registry).toys.labels("bear").inc()\n'
        "print(generate_latest(registry).decode())\n"
    )
    assert 'mev_toys_total{code="bear"} 1.0' in run(tree, "-c", program)
    assert "| `mev_toys_total` |" in run(tree, "-m", "mev_dagster.telemetry.metrics_page")


def test_an_alert_is_a_rule_and_its_page(tree):
    edit(
        tree / "ops/prometheus/alerts.yml",
        "      - alert: IngestLag\n",
        """      - alert: ToySilent
        expr: mev_store_backlog_age_seconds > 3000
        for: 1m
        labels: {severity: warn, component: store, runbook: toy-silent}
        annotations:
          summary: "The toy is silent"
      - alert: IngestLag
""",
    )
    judged = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/telemetry/test_telemetry_runbooks.py")
    with pytest.raises(AssertionError, match="toy-silent"):
        run(tree, *judged)
    page = (tree / "ops/runbooks/ingest-lag.md").read_text()
    (tree / "ops/runbooks/toy-silent.md").write_text(page.replace("`IngestLag`", "`ToySilent`"))
    run(tree, *judged)


def test_an_asset_is_a_function_and_what_it_calls(tree):
    path = tree / "assets/operations.py"
    path.write_text(path.read_text() + "\n\n@dg.asset\ndef toys() -> int:\n    return 7\n")
    program = (
        "import dagster as dg\n"
        "from mev_dagster.definitions import defs\n"
        "keys = defs().get_repository_def().asset_graph.get_all_asset_keys()\n"
        'print(dg.AssetKey("toys") in keys)\n'
    )
    assert run(tree, "-c", program).splitlines()[-1] == "True"
