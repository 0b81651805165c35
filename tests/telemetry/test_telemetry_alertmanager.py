"""Where Alertmanager sends what fires, and what holds what back, by its own tool."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

OPS = Path(__file__).resolve().parents[2] / "ops"
CONFIG = OPS / "alertmanager" / "alertmanager.yml"


def amtool(*arguments: str) -> str:
    found = shutil.which("amtool")
    if found is None:
        pytest.skip("amtool is absent: apt-get install prometheus-alertmanager")
    ran = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_alertmanager_takes_the_configuration():
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["severity=page"], "oncall"),
        (["severity=warn"], "team"),
        (["severity=page", "block=17"], "daemon,oncall"),
        (["severity=warn", "first_block=17", "last_block=19"], "daemon,team"),
    ],
)
def test_an_alert_reaches_whoever_is_to_act_on_it(labels, receivers):
    route = amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels)
    assert route.strip() == receivers


def test_only_alerts_that_exist_hold_others_back_and_no_warning_holds_back_a_page():
    groups = yaml.safe_load((OPS / "prometheus" / "alerts.yml").read_text())["groups"]
    groups += yaml.safe_load((OPS / "prometheus" / "slo.yml").read_text())["groups"]
    severity = {
        rule["alert"]: rule["labels"]["severity"]
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    }
    for rule in yaml.safe_load(CONFIG.read_text())["inhibit_rules"]:
        [source], [target] = rule["source_matchers"], rule["target_matchers"]
        held_back = target.split('"')[1].split("|") if "!=" not in target else []
        assert severity[source.split('"')[1]] == "page" or all(severity[one] == "warn" for one in held_back)
        assert set(held_back) <= set(severity)


def test_the_daemons_door_is_shown_the_homes_token():
    [daemon] = [one for one in yaml.safe_load(CONFIG.read_text())["receivers"] if one["name"] == "daemon"]
    [webhook] = daemon["webhook_configs"]
    assert webhook["url"].endswith("/alerts")
    assert webhook["http_config"]["authorization"]["credentials_file"].endswith("access.token")
