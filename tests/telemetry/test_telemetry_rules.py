"""The rules that are shipped, by Prometheus's own judge: each alert fires, does not fire, and resolves."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rule_stories import STORIES, Story

from mev_dagster.telemetry import alert_rules, slo

OPS = Path(__file__).resolve().parents[2] / "ops"
RULES = [OPS / "prometheus" / name for name in ("recording.yml", "slo.yml", "alerts.yml")]


def alerts() -> list[dict]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is absent: apt-get install prometheus")
    return found


@pytest.mark.parametrize("story", STORIES, ids=[f"{s.alert}-{i}" for i, s in enumerate(STORIES)])
def test_an_alert_fires_when_it_should_and_at_no_other_time(promtool, tmp_path, story: Story):
    firing = f'count(ALERTS{{alertname="{story.alert}",alertstate="firing"}}) or vector(0)'
    document = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": name, "values": text} for name, text in story.series.items()],
                "promql_expr_test": [
                    {
                        "expr": firing,
                        "eval_time": f"{round(minute * 60)}s",
                        "exp_samples": [{"labels": "{}", "value": count}],
                    }
                    for minute, count in story.firing.items()
                ],
            }
        ],
    }
    path = tmp_path / "story.json"  # JSON is YAML
    path.write_text(json.dumps(document))
    judged = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_alert_has_a_story_that_is_quiet_fires_and_is_quiet_again():
    whole = {s.alert for s in STORIES if _resolves(s)}
    assert whole == {rule["alert"] for rule in alerts()}


def _resolves(story: Story) -> bool:
    counts = [bool(count) for _, count in sorted(story.firing.items())]
    return not counts[0] and any(counts) and not counts[-1]


def test_the_objectives_file_is_what_the_objectives_make():
    assert RULES[1].read_text() == slo.text()


def test_prometheus_takes_the_configuration_with_every_rule_file(promtool):
    config = OPS / "prometheus" / "prometheus.yml"
    judged = subprocess.run(
        [promtool, "check", "config", config], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert yaml.safe_load(config.read_text())["rule_files"] == [path.name for path in RULES]


def test_the_seeds_four_alerts_are_there_by_name():
    assert {"QueueSaturation", "IngestLag", "DecodeFailures", "CoverageCollapse"} <= {
        rule["alert"] for rule in alerts()
    }


def test_every_alert_says_how_bad_it_is_whose_it_is_and_where_to_read_on():
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "warn"}, rule["alert"]
        assert {"component", "runbook"} <= set(rule["labels"]), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_the_rules_that_may_start_runs_are_the_rules_of_the_files():
    assert {rule["alert"]: rule["labels"]["component"] for rule in alerts()} == alert_rules.RULES
