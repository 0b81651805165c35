"""Each alert has its page, and what a page tells one to type or to ask exists."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer
import yaml

from mev_dagster.cli import COMMANDS
from mev_dagster.store.tables import TABLES
from mev_dagster.telemetry import metrics_page
from mev_dagster.telemetry.catalogue import ROOMS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "ops" / "runbooks").glob("*.md"))
RULE_FILES = [ROOT / "ops" / "prometheus" / name for name in ("recording.yml", "slo.yml", "alerts.yml")]
SECTIONS = ["Symptom", "Query", "Likely causes", "Steps", "Verify", "Prevent"]
OF_THE_MACHINE = {"cp", "date", "df", "iostat", "ls", "mv", "tail", "timedatectl", "top"}
RULES = [
    rule
    for path in RULE_FILES
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
EXPORTED = {one.name for room in ROOMS for one in room.declared()}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


def names_in(text: str) -> set[str]:
    """Every metric a text speaks of, without what a histogram adds to its name."""
    found = re.findall(r"\b(?:mev|relay)[_:][a-z0-9_:]*[a-z0-9]\b", text)
    return {name if name in EXPORTED else re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def fenced(page: Path, language: str) -> list[str]:
    blocks = re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.S | re.M)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_page_that_names_it_and_says_everything(alert):
    page = ROOT / "ops" / "runbooks" / f"{ALERTS[alert]['labels']['runbook']}.md"
    text = page.read_text()
    assert f"Alert: `{alert}`" in text
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS
    assert fenced(page, "promql")
    assert fenced(page, "sh")


def test_no_page_is_left_over():
    named = {rule["labels"]["runbook"] for rule in ALERTS.values()}
    assert {page.stem for page in PAGES} == named | {"incident-response"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_exists(page):
    for line in fenced(page, "sh"):
        words = [word for word in shlex.split(line) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
        if words[0] == "mev":
            assert_takes(words[1:], line)
        else:
            assert words[0] in OF_THE_MACHINE, line


def assert_takes(words: list[str], line: str) -> None:
    """Parse a `mev` line as the command would, without running it."""
    name, *rest = words
    assert name in COMMANDS, line
    module = __import__(f"mev_dagster.commands.{name}", fromlist=["app"])
    command: click.Command = typer.main.get_command(module.app)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(name, list(rest), resilient_parsing=False)
    for table in re.findall(r"\bFROM (\w+)", line):
        assert table.removeprefix("v_") in TABLES, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_metric_of_a_page_is_exported_or_recorded(page):
    assert names_in(page.read_text()) - {"mev_dagster"} <= EXPORTED | RECORDED


def test_every_rule_asks_only_for_what_is_exported_or_recorded():
    asked = {name for rule in RULES for name in names_in(rule["expr"])}
    assert asked <= EXPORTED | RECORDED


def test_the_metrics_page_is_what_the_catalogue_makes():
    assert (ROOT / "docs" / "metrics.md").read_text() == metrics_page.page()
