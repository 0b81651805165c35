"""The page of figures: a section a benchmark, replaced when run again, with where the figures come from."""

import platform
import subprocess

from mev_dagster.bench.harness import Result, judge
from mev_dagster.bench.report import (
    Machine,
    Provenance,
    commit_of,
    provenance,
    section,
    this_machine,
    with_sections,
    write_sections,
)
from mev_dagster.telemetry.clock import VirtualClock

ORIGIN = Provenance(
    "mev bench log", "abc123", Machine("a cpu", 2, 8.0, "Linux 6", "3.11.2"), "2026-01-01 00:00 UTC"
)


def test_a_section_holds_every_figure_with_its_budget_and_verdict():
    rows = [
        judge("kept", 1.0, "us", limit_value=1.0, at_most_limit=1.5),
        judge("missed", 9.0, "us", peer="json", peer_value=9.0, at_least_peer=7, note="why"),
        Result("unjudged", 1.5, "x", budget=">= 1.7x peer", ok=None, note="the cores are not free"),
    ]
    text = section("log", rows, ORIGIN)
    assert "| kept | 1 us |  | 1 (1x) | <= 1.5x limit | kept |" in text
    assert "| missed | 9 us | 9 (1x) |  | >= 7x peer | **missed** |" in text
    assert "| unjudged | 1.5 x |  |  | >= 1.7x peer | not judged |" in text
    assert "- missed: peer: json; why" in text
    assert "`mev bench log` at abc123, 2026-01-01 00:00 UTC" in text
    assert "a cpu, 2 cores, 8 GiB, Linux 6, Python 3.11.2" in text


def test_running_again_replaces_that_section_and_nothing_else(tmp_path):
    page = tmp_path / "docs" / "performance.md"
    write_sections(page, {"log": section("log", [judge("old", 1.0, "us")], ORIGIN)})
    write_sections(page, {"store": section("store", [judge("other", 2.0, "us")], ORIGIN)})
    page.write_text(page.read_text() + "\nA remark by hand.\n")
    write_sections(page, {"log": section("log", [judge("new", 3.0, "us")], ORIGIN)})
    text = page.read_text()
    assert "| new | 3 us |" in text
    assert "| old |" not in text
    assert "| other | 2 us |" in text
    assert text.count("## log") == text.count("## store") == 1
    assert text.endswith("A remark by hand.\n")
    assert with_sections(text, {"log": section("log", [judge("new", 3.0, "us")], ORIGIN)}) == text


def test_the_date_is_the_clocks_and_the_machine_has_no_name(tmp_path):
    origin = provenance("mev bench log", VirtualClock(1_767_225_600 * 10**9), page=tmp_path / "page.md")
    assert origin.date == "2026-01-01 00:00 UTC"
    assert platform.node() not in str(origin.machine)
    assert this_machine().cores >= 1


def test_changed_files_are_counted_and_the_page_itself_is_not_one(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    page, code = tmp_path / "page.md", tmp_path / "code.py"
    page.write_text("figures")
    code.write_text("pass")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    page.write_text("newer figures")
    assert "changes" not in commit_of(tmp_path, page)
    code.write_text("raise")
    assert commit_of(tmp_path, page).endswith("and changes in 1 files")


def test_a_folder_outside_a_repository_has_no_commit(tmp_path):
    assert commit_of(tmp_path, tmp_path / "page.md") == "an installed package, no commit known"
