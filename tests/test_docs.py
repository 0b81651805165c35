"""What the pages name is there: files, links and modules; what a mutation changes stands where it says."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOMES = ("", "mev_dagster", "docs")
"""Pages name a file from the root, from the library or from beside themselves."""

PAGES = sorted(
    ROOT / line
    for line in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
)
FILE = re.compile(r"`((?:[a-z_0-9.-]+/)+[a-zA-Z_0-9.-]+\.(?:py|sql|md|toml|rs|yml|yaml|json))`")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
MODULE = re.compile(r"\b(?:mev_dagster|assets|sensors|resources)(?:\.[a-z_0-9]+)+\b")


def missing_files(page: Path) -> list[str]:
    named = [found for found in FILE.findall(page.read_text()) if not found.startswith((".mev/", "./"))]
    return [name for name in named if not any((ROOT / home / name).exists() for home in HOMES)]


def dead_links(page: Path) -> list[str]:
    return [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]


def missing_modules(page: Path) -> list[str]:
    """Return the dotted names of which not even the module is there; the last word may be a name in it."""
    found = []
    for name in MODULE.findall(page.read_text()):
        parts = name.split(".")
        ends = [ROOT.joinpath(*parts), ROOT.joinpath(*parts[:-1])]
        if not any(end.is_dir() or end.with_suffix(".py").is_file() for end in ends):
            found.append(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path):
    assert (missing_files(page), dead_links(page), missing_modules(page)) == ([], [], [])


def test_every_mutation_by_hand_still_changes_one_place():
    told = tomllib.loads((ROOT / "tests" / "mutants" / "by_hand.toml").read_text())["mutation"]
    assert len(told) >= 8
    counts = {one["name"]: (ROOT / one["file"]).read_text().count(one["find"]) for one in told}
    assert {name: count for name, count in counts.items() if count != 1} == {}


def test_every_room_stands_in_the_table_of_rooms():
    """The table of docs/architecture.md names every room that there is."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {
        path.stem
        for path in (ROOT / "mev_dagster").iterdir()
        if (path.is_dir() and (path / "__init__.py").exists()) or path.suffix == ".py"
    }
    assert {room for room in rooms - {"__init__", "__main__"} if f"`{room}`" not in page} == set()
