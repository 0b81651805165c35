"""mempool-dumpster's files: every row is a sighting, an observed one, or is counted with its reason."""

import csv
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from mev_dagster.bench.transactions import generate
from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import import_mempool_dumpster, mempool_dumpster
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.errors import InputError
from mev_dagster.events.types import Event, TxBody, TxRejected, TxSeen

CSV_COLUMNS = (
    "timestamp_ms",
    "hash",
    "chain_id",
    "from",
    "to",
    "value",
    "nonce",
    "gas",
    "gas_price",
    "gas_tip_cap",
    "gas_fee_cap",
    "data_size",
    "data_4bytes",
    "sources",
    "included_at_block_height",
    "included_block_timestamp_ms",
    "inclusion_delay_ms",
    "tx_type",
)
START_MS = 1_767_225_600_000


@pytest.fixture(scope="module")
def transactions() -> list[Transaction]:
    return [decode_transaction(raw) for raw in generate(60)]


def hexed(value: bytes | None) -> str:
    return "0x" + value.hex() if value is not None else ""


def row(index: int, transaction: Transaction, **changes: Any) -> dict[str, Any]:
    """Return a row as mempool-dumpster fills it; only what identifies a transaction is read."""
    fields: dict[str, Any] = dict.fromkeys(CSV_COLUMNS, "0") | {
        "timestamp_ms": START_MS + 40 * index,
        "hash": hexed(transaction.hash),
        "chain_id": "1",
        "from": hexed(transaction.sender),
        "to": hexed(transaction.to),
        "value": str(transaction.value_wei),
        "sources": "bloxroute local",
        "tx_type": transaction.type,
    }
    return fields | changes


def write_csv(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str] = CSV_COLUMNS) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]], raws: list[bytes]) -> Path:
    """Write the columns and types that mempool-dumpster's Parquet files have."""
    table = pyarrow.table(
        {
            "timestamp": pyarrow.array([r["timestamp_ms"] for r in rows], pyarrow.timestamp("ms")),
            "hash": [r["hash"] for r in rows],
            "chainId": [r["chain_id"] for r in rows],
            "txType": pyarrow.array([r["tx_type"] for r in rows], pyarrow.int64()),
            "from": [r["from"] for r in rows],
            "to": [r["to"] for r in rows],
            "sources": [r["sources"].split() for r in rows],
            "rawTx": pyarrow.array(raws, pyarrow.binary()),
        }
    )
    pyarrow.parquet.write_table(table, path, row_group_size=16)
    return path


def write_sourcelog(path: Path, rows: Iterable[tuple[int, bytes, str]]) -> Path:
    columns = ("timestamp_ms", "hash", "source")
    return write_csv(path, ({"timestamp_ms": t, "hash": hexed(h), "source": s} for t, h, s in rows), columns)


def interrupt_at(stop: int) -> Callable[[int, int | None, str], None]:
    def interrupt(done: int, total: int | None, detail: str) -> None:
        if done == stop:
            raise KeyboardInterrupt

    return interrupt


def events_of(out: Path) -> list[Event]:
    with open_capture(out) as capture:
        assert not capture.synthetic
        return list(capture.events())


def test_a_parquet_file_gives_sightings_and_bodies_with_its_own_times(
    tmp_path: Path, transactions: list[Transaction]
):
    rows = [row(index, transaction) for index, transaction in enumerate(transactions)]
    path = write_parquet(tmp_path / "day.parquet", rows, [t.raw for t in transactions])
    report = import_mempool_dumpster([path], tmp_path / "out")
    assert (report.transactions, report.events, report.rejected) == (60, 120, {})
    events = events_of(tmp_path / "out")
    for index, transaction in enumerate(transactions):
        seen, body = events[2 * index : 2 * index + 2]
        assert isinstance(seen, TxSeen)
        assert isinstance(body, TxBody)
        assert seen.wall_ns == body.wall_ns == (START_MS + 40 * index) * 1_000_000
        assert (seen.source, seen.peer) == ("mempool-dumpster", "bloxroute local")
        assert (seen.announced_type, seen.announced_size) == (transaction.type, len(transaction.raw))
        assert (body.tx_hash, body.raw) == (transaction.hash, transaction.raw)
        assert not seen.synthetic
        assert not body.synthetic
    assert verify_capture(tmp_path / "out").ok


@pytest.mark.parametrize("zipped", [False, True])
def test_a_csv_file_gives_sightings_alone(tmp_path: Path, transactions: list[Transaction], zipped: bool):
    path = write_csv(tmp_path / "day.csv", (row(i, t) for i, t in enumerate(transactions)))
    if zipped:
        with zipfile.ZipFile(tmp_path / "day.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "day.csv")
        path = tmp_path / "day.csv.zip"
    report = import_mempool_dumpster([path], tmp_path / "out")
    assert (report.transactions, report.events) == (0, 60)
    assert [event.tx_hash for event in events_of(tmp_path / "out") if isinstance(event, TxSeen)] == [
        transaction.hash for transaction in transactions
    ]


def test_files_are_merged_by_time_and_a_sourcelog_names_each_source(
    tmp_path: Path, transactions: list[Transaction]
):
    rows = [row(index, transaction) for index, transaction in enumerate(transactions)]
    parquet = write_parquet(tmp_path / "day.parquet", rows, [t.raw for t in transactions])
    log = write_sourcelog(
        tmp_path / "sources.csv",
        (
            (START_MS + 40 * index + late, transaction.hash, source)
            for index, transaction in enumerate(transactions)
            for source, late in (("bloxroute", 0), ("local", 13))
        ),
    )
    import_mempool_dumpster([parquet, log], tmp_path / "out")
    events = events_of(tmp_path / "out")
    assert len(events) == 240
    assert [event.wall_ns for event in events] == sorted(event.wall_ns for event in events)
    assert {event.source for event in events} == {"mempool-dumpster", "bloxroute", "local"}


def test_rows_that_cannot_be_used_are_counted_by_reason_and_raw_bytes_are_kept(
    tmp_path: Path, transactions: list[Transaction]
):
    good, other, third = transactions[:3]
    rows = [
        row(0, good),
        row(1, good, hash=hexed(other.hash)),
        row(2, good, **{"from": "0x" + "11" * 20}),
        row(3, good, chain_id="56"),
        row(4, good, hash="0x12"),
        row(5, good),
        row(6, third),
    ]
    raws = [good.raw, good.raw, good.raw, good.raw, good.raw, b"\x02\xc0", third.raw]
    path = write_parquet(tmp_path / "day.parquet", rows, raws)
    report = import_mempool_dumpster([path], tmp_path / "out")
    assert report.rejected == {
        "bad_row": 1,
        "hash_mismatch": 1,
        "other_chain": 1,
        "sender_mismatch": 1,
        "wrong_field_count": 1,
    }
    events = events_of(tmp_path / "out")
    rejected = [event for event in events if isinstance(event, TxRejected)]
    assert [event.reason for event in rejected] == ["hash_mismatch", "sender_mismatch", "wrong_field_count"]
    assert rejected[2].raw == b"\x02\xc0"
    assert [event.tx_hash for event in events if isinstance(event, TxBody)] == [good.hash, third.hash]


def test_broken_lines_of_a_csv_file_do_not_stop_it(tmp_path: Path, transactions: list[Transaction]):
    path = write_csv(tmp_path / "day.csv", (row(i, t) for i, t in enumerate(transactions[:4])))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2:2] = [b"garbage\n", b"\xff\xfe,0x,\n", b'"never closed' + b"x" * 200_000 + b'"\n', b"-5,0x00\n"]
    path.write_bytes(b"".join(lines))
    report = import_mempool_dumpster([path], tmp_path / "out")
    assert report.events == 4
    assert sum(report.rejected.values()) >= 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("day.csv", b"a,b,c\n1,2,3\n"),
        ("day.csv", b""),
        ("day.csv.zip", b"PK\x03\x04 no archive"),
        ("day.parquet", b"PAR1 no table PAR1"),
        ("day.parquet", b""),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        import_mempool_dumpster([tmp_path / name], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_from_before_march_2024_have_no_type_and_are_imported(
    tmp_path: Path, transactions: list[Transaction], kind: str
):
    rows = [row(index, transaction) for index, transaction in enumerate(transactions)]
    path = tmp_path / f"2023-10-01.{kind}"
    if kind == "csv":
        old = [{name: value for name, value in one.items() if name != "tx_type"} for one in rows]
        write_csv(path, old, CSV_COLUMNS[:-1])
    else:
        write_parquet(path, rows, [transaction.raw for transaction in transactions])
        pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).drop_columns(["txType"]), path)
    import_mempool_dumpster([path], tmp_path / "out")
    types = [event.announced_type for event in events_of(tmp_path / "out") if isinstance(event, TxSeen)]
    expected = [None if kind == "csv" else transaction.type for transaction in transactions]
    assert types == expected


def test_the_chain_is_the_one_the_rows_name(tmp_path: Path, transactions: list[Transaction]):
    rows = [row(index, one, chain_id="11155111") for index, one in enumerate(transactions)]
    import_mempool_dumpster([write_csv(tmp_path / "day.csv", rows)], tmp_path / "out")
    with open_capture(tmp_path / "out") as capture:
        assert capture.manifest.chain_id == 11155111


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("timestamp_ms,hash,source,reason,note\n", "a trash file"),
        (f"1700000000000,0x{'12' * 32},0x02f8\n", "a collector's hourly file"),
    ],
)
def test_files_of_the_dumpster_that_hold_no_days_are_named(tmp_path: Path, content: str, said: str):
    (tmp_path / "hour.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        import_mempool_dumpster([tmp_path / "hour.csv"], tmp_path / "out")


def test_an_interrupted_import_goes_on_and_ends_in_the_same_bytes(
    tmp_path: Path, transactions: list[Transaction], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mempool_dumpster, "CHECKPOINT_ROWS", 7)
    rows = [row(index, transaction) for index, transaction in enumerate(transactions)]
    rows[30]["chain_id"] = "56"
    parquet = write_parquet(tmp_path / "day.parquet", rows, [t.raw for t in transactions])
    whole = import_mempool_dumpster([parquet], tmp_path / "whole")
    for stop in (10, 29, 58):
        with pytest.raises(KeyboardInterrupt):
            import_mempool_dumpster([parquet], tmp_path / "out", on_progress=interrupt_at(stop))
        assert not (tmp_path / "out").exists()
    resumed = import_mempool_dumpster([parquet], tmp_path / "out")
    assert resumed.resumed_at == 56
    assert (resumed.events, resumed.rejected) == (whole.events, whole.rejected)
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "out" / file.name).read_bytes()


def test_work_left_by_other_sources_is_not_resumed(
    tmp_path: Path, transactions: list[Transaction], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mempool_dumpster, "CHECKPOINT_ROWS", 7)
    first = write_csv(tmp_path / "a.csv", (row(i, t) for i, t in enumerate(transactions)))
    second = write_csv(tmp_path / "b.csv", (row(i, t) for i, t in enumerate(transactions[:20])))
    with pytest.raises(KeyboardInterrupt):
        import_mempool_dumpster([first], tmp_path / "out", on_progress=interrupt_at(30))
    report = import_mempool_dumpster([second], tmp_path / "out")
    assert (report.resumed_at, report.events) == (0, 20)
