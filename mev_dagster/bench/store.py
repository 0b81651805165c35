"""`mev bench store`: inserting, the bytes a row takes, and reading one slot, each beside its limit or peer.

Inserts are held against what the engine itself takes to read the same rows from a file in its own Native
format; sizes against the same columns as hex text, which is how mempool tables are usually laid out; reads
against duckdb over the same rows in the same run.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import pyarrow as pa

from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.bench.transactions import generate
from mev_dagster.chain.columns import decode_columns
from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store
from mev_dagster.store.sql import literal, quoted
from mev_dagster.store.tables import TABLES, Column
from mev_dagster.store.verify import compressed_bytes
from mev_dagster.units import NS_PER_SECOND

ROWS = 50_000
SLOT_ROWS = 300
SLOTS = 17_000  # five million rows, days of mainnet: in a small table any engine finds a slot at once
ROUNDS = 7
QUERIES = 40

AT_MOST_NATIVE = 1 / 0.6
AT_MOST_HEX = 0.85
AT_MOST_DUCKDB = 2.0

_FIRST_SEEN_NS = 1_770_000_000 * NS_PER_SECOND
PENDING_COLUMNS = (
    *("window_number", "tx_hash", "first_seen_at", "tx_type", "chain_id", "nonce", "sender", "to"),
    *("value_wei", "gas_limit", "gas_price_wei", "max_fee_per_gas_wei", "max_priority_fee_per_gas_wei"),
    *("input_len", "selector", "raw_len", "lane", "source", "seq"),
)
SIGNATURE = frozenset({"r", "s"})
_MOVED = ("window_number", "first_seen_at")
_SLOT_COLUMNS = "tx_hash, sender, `to`, value_wei, gas_limit, max_fee_per_gas_wei, selector"


def run(options: Options) -> Iterator[Result]:
    """Yield the figures of the embedded store."""
    rows = ROWS // 5 if options.quick else ROWS
    rounds = 3 if options.quick else ROUNDS
    with TemporaryDirectory(prefix="mev-bench-store-") as folder:
        options.step(f"signing {rows} transactions")
        columns = _columns(rows)
        with open_store(Settings(home=Path(folder))) as store:
            yield from _inserts(store, Path(folder), columns, rounds, options)
            yield from _sizes(store)
            yield from _slot_query(store, Path(folder), options)


def _columns(rows: int) -> dict[str, Any]:
    """Return decoded transactions as the columns of the `transactions` table."""
    decoded = decode_columns(list(generate(rows))).rows
    known = dict(zip(decoded.schema.names, decoded.columns, strict=True))
    return known | {
        "window_number": [1 + row // SLOT_ROWS for row in range(rows)],
        "first_seen_at": [_FIRST_SEEN_NS + row * 40_000_000 for row in range(rows)],
        "lane": ["p2p"] * rows,
        "source": ["node"] * rows,
        "synthetic": [False] * rows,
        "seq": list(range(rows)),
        "log_id": ["bench"] * rows,
    }


def _inserts(
    store: Store, folder: Path, columns: dict[str, Any], rounds: int, options: Options
) -> Iterator[Result]:
    rows = len(columns["seq"])
    batch = store.arrow("transactions", columns)
    store.insert_batch("transactions", batch)
    native = folder / "rows.native"
    store.command(f"SELECT * FROM transactions INTO OUTFILE {literal(str(native))} FORMAT Native")
    store.command("SYSTEM STOP MERGES")
    seconds = interleave(
        {
            "arrow": lambda _: store.insert_batch("transactions", batch),
            "columns": lambda _: store.insert("transactions", columns),
            "native": lambda _: store.command(
                f"INSERT INTO transactions FROM INFILE {literal(str(native))} FORMAT Native"
            ),
        },
        [0],
        rounds=rounds,
        step=options.step,
    )
    one_by_one = _seconds(lambda: [store.insert("transactions", _first(columns)) for _ in range(20)]) / 20
    micros = {name: total / rows * 1e6 for name, total in seconds.items()}
    yield judge(
        "store insert",
        micros["arrow"],
        "us/row",
        peer="one row a call",
        peer_value=one_by_one * 1e6,
        limit_value=micros["native"],
        at_most_limit=AT_MOST_NATIVE,
        note=f"limit: Native file; {rows} transactions, {batch.num_columns} columns, as one Arrow batch",
    )
    yield judge(
        "store insert, columns",
        micros["columns"],
        "us/row",
        limit_value=micros["native"],
        note="the same with checking and encoding the columns",
    )
    store.command("SYSTEM START MERGES")
    store.command("TRUNCATE TABLE transactions")
    store.insert_batch("transactions", batch)
    store.command("OPTIMIZE TABLE transactions FINAL")


def _first(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: values[:1] for name, values in columns.items()}


def _sizes(store: Store) -> Iterator[Result]:
    """Store the same columns once as the schema has them and once as hex text, and compare their bytes."""
    table = TABLES["transactions"]
    pending = [column for column in table.columns if column.name in PENDING_COLUMNS]
    yield judge(
        "store size",
        _bytes_per_row(store, "binary", {column: (column.ddl, quoted(column.name)) for column in pending}),
        "bytes/row",
        limit_value=_bytes_per_row(store, "hex_text", {column: _as_hex(column) for column in pending}),
        at_most_limit=AT_MOST_HEX,
        note=f"limit: the same {len(pending)} columns with hashes and addresses as hex text, ZSTD(1); "
        "without calldata and signatures, whose entropy no schema changes",
    )
    rest = [column for column in table.columns if column.type.item is None]
    yield judge(
        "store size, all",
        _bytes_per_row(store, "binary_all", {column: (column.ddl, quoted(column.name)) for column in rest}),
        "bytes/row",
        limit_value=_bytes_per_row(store, "hex_text_all", {column: _as_hex(column) for column in rest}),
        note="the same with calldata and signatures",
    )


def _bytes_per_row(store: Store, name: str, columns: dict[Column, tuple[str, str]]) -> float:
    declared = ", ".join(ddl for ddl, _ in columns.values())
    values = ", ".join(value for _, value in columns.values())
    order = ", ".join(quoted(part) for part in TABLES["transactions"].key)
    store.command(f"CREATE TABLE {name} ({declared}) ENGINE = MergeTree ORDER BY ({order})")
    store.command(f"INSERT INTO {name} SELECT {values} FROM transactions")
    store.command(f"OPTIMIZE TABLE {name} FINAL")
    return compressed_bytes(store, name) / store.count("transactions")


def _as_hex(column: Column) -> tuple[str, str]:
    """Return how a column is declared and filled where bytes are kept as 0x text."""
    name, kind = quoted(column.name), column.type
    as_text = f"concat('0x', lower(hex({name})))"
    if column.raw_bytes or column.name in SIGNATURE:
        return f"{name} String CODEC(ZSTD(1))", as_text
    if kind.width is not None:
        text = f"FixedString({2 + 2 * kind.width})"
        declared = f"Nullable({text})" if kind.nullable else text
        return f"{name} {declared} CODEC(ZSTD(1))", as_text
    return f"{name} {kind.text} CODEC(ZSTD(1))", name


def _slot_query(store: Store, folder: Path, options: Options) -> Iterator[Result]:
    """Read the transactions of one slot out of millions, in both engines, in turns."""
    slots = SLOTS // 10 if options.quick else SLOTS
    have = store.count("transactions") // SLOT_ROWS
    options.step(f"filling {slots * SLOT_ROWS} rows")
    others = ", ".join(quoted(name) for name in TABLES["transactions"].names if name not in _MOVED)
    for first in range(have, slots, have):
        store.command(
            f"INSERT INTO transactions (window_number, first_seen_at, {others})"
            f" SELECT window_number + {first}, addSeconds(first_seen_at, {12 * first}), {others}"
            f" FROM transactions WHERE window_number <= {min(have, slots - first)}"
        )
    store.command("OPTIMIZE TABLE transactions FINAL")

    def ours(slot: int) -> pa.Table:
        return store.query(f"SELECT {_SLOT_COLUMNS} FROM transactions WHERE window_number = {slot}")

    contenders: dict[str, Callable[[int], object]] = {"ours": ours}
    if find_spec("duckdb") is not None:
        contenders["duckdb"] = _duckdb(store, folder, options)
    chosen = [1 + (number * 7_919) % slots for number in range(QUERIES)]
    seconds = interleave(contenders, chosen, rounds=5, clock=perf_counter, step=options.step)
    yield judge(
        "store slot query",
        seconds["ours"] / QUERIES * 1e3,
        "ms",
        limit_value=seconds["duckdb"] / QUERIES * 1e3 if "duckdb" in seconds else None,
        at_most_limit=AT_MOST_DUCKDB,
        note=f"limit: duckdb; {SLOT_ROWS} of {store.count('transactions')} rows, 7 columns, into Arrow",
    )


def _duckdb(store: Store, folder: Path, options: Options) -> Callable[[int], object]:
    """Copy the rows without calldata into duckdb, in the same order, and return its query."""
    import duckdb

    options.step("copying the rows into duckdb")
    file = folder / "rows.parquet"
    columns = f"window_number, {_SLOT_COLUMNS}"
    store.command(
        f"SELECT {columns} FROM transactions ORDER BY window_number, first_seen_at"
        f" INTO OUTFILE {literal(str(file))} FORMAT Parquet"
    )
    connection = duckdb.connect(str(folder / "rows.duckdb"))
    connection.execute("CREATE TABLE transactions AS SELECT * FROM read_parquet(?)", [str(file)])
    selected = _SLOT_COLUMNS.replace("`", '"')

    def query(slot: int) -> object:
        statement = f"SELECT {selected} FROM transactions WHERE window_number = {slot}"
        return connection.sql(statement).to_arrow_table()

    return query


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
