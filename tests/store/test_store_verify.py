"""What `mev store verify` says of a table that is missing, otherwise than declared, damaged, or whole."""

from types import SimpleNamespace
from typing import NamedTuple

import pytest

from mev_dagster.store import verify as verifying
from mev_dagster.store.tables import TABLES
from mev_dagster.store.verify import verify


class Check(NamedTuple):
    name: str
    description: str
    blocking: bool


class Declared:
    """A store that declares its tables as told, and whose parts on disk are as told."""

    database = "mev"

    def __init__(self, *, without: str = "", otherwise: tuple[str, str, str] | None = None, intact: int = 1):
        self.columns = [
            (table.name, column.name, column.type.text)
            for table in TABLES.values()
            for column in table.columns
            if table.name != without and (table.name, column.name) != (otherwise or ("", ""))[:2]
        ]
        self.columns += [otherwise] if otherwise and otherwise[2] else []
        self.intact = intact

    def rows(self, sql, params=None):
        return self.columns

    def command(self, sql, params=None):
        return self.intact

    def digest(self, table, where=None):
        return SimpleNamespace(rows=3, digest="d")


@pytest.fixture(autouse=True)
def nothing_broken(monkeypatch):
    monkeypatch.setattr(verifying, "broken_checks", lambda store, table: {})


def said(store) -> dict[str, tuple[str, ...]]:
    return {name: table.problems for name, table in verify(store).tables.items() if table.problems}


def test_a_store_as_declared_has_no_problems_and_every_table_its_digest():
    report = verify(Declared())
    assert set(report.tables) == set(TABLES)
    assert {(one.rows, one.digest, one.problems) for one in report.tables.values()} == {(3, "d", ())}


def test_a_missing_table_has_no_rows_and_says_how_to_make_it():
    report = verify(Declared(without="blocks"))
    missing = report.tables["blocks"]
    assert (missing.rows, missing.digest) == (0, "")
    assert missing.problems == ("the table is missing: mev store migrate",)
    assert len(report.tables) == len(TABLES)


@pytest.mark.parametrize(("kind", "found"), [("", "missing"), ("String", "String")])
def test_a_column_that_is_otherwise_is_named_with_what_was_expected(kind, found):
    store = Declared(otherwise=("blocks", "block_hash", kind))
    expected = TABLES["blocks"]["block_hash"].type.text
    assert said(store) == {"blocks": (f"column block_hash is {found}, expected {expected}",)}


def test_damage_on_disk_is_said_of_every_table_it_is_in():
    problems = said(Declared(intact=0))
    assert set(problems) == set(TABLES)
    assert all("a part on disk is damaged" in one for (one,) in problems.values())


@pytest.mark.parametrize("blocking", [True, False])
def test_only_a_check_that_blocks_is_a_problem(monkeypatch, blocking):
    check = Check("sums", "sums add up", blocking)
    monkeypatch.setattr(verifying, "broken_checks", lambda store, table: {check: 2})
    problems = said(Declared())
    assert bool(problems) is blocking
    assert all(one == ("sums: 2 do not hold: sums add up",) for one in problems.values())
