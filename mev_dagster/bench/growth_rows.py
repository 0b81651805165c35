"""Rows of many small days, made inside the store: what `mev bench growth` asks its questions of.

A day here is a hundredth of mainnet's: 72 blocks, 12 seconds apart, on a calendar day of their own, so that
partitions grow with the days. Hashes are hashes, so they compress like real ones.
"""

from mev_dagster.store.client import Store
from mev_dagster.store.sql import quoted
from mev_dagster.units import NS_PER_DAY, NS_PER_SECOND

BLOCKS_A_DAY = 72
SIGHTINGS = 200
BODIES = 100
TXS = 100
CANDIDATES = 10
FIRST_BLOCK = 1_000_000
FIRST_DAY_NS = 1_767_225_600 * NS_PER_SECOND
LOG_ID = "growth"
DAYS_AT_ONCE = 10

_BLOCK = f"toUInt64({FIRST_BLOCK} + intDiv(number, {{each}}))"
_AT = (
    f"toInt64({FIRST_DAY_NS}) + toInt64(intDiv(b - {FIRST_BLOCK}, {BLOCKS_A_DAY})) * 86400000000000"
    f" + toInt64((b - {FIRST_BLOCK}) % {BLOCKS_A_DAY}) * 12000000000"
)
_BLOCK_HASH = "SHA256(concat('block', toString(b)))"
_TX_HASH = "SHA256(concat('tx', toString(b), '-', toString(i)))"


def _time(shift_ns: str) -> str:
    return f"fromUnixTimestamp64Nano(at + {shift_ns}, 'UTC')"


# table -> (rows a block, the columns that are filled; `b` is the block, `i` the row of it, `at` its time)
_FILLED: dict[str, tuple[int, dict[str, str]]] = {
    "ingest_windows": (1, {
        "block_number": "b", "block_hash": _BLOCK_HASH, "block_time": _time("0"),
        "first_seq": "toInt64(b * 1000)", "last_seq": "toInt64(b * 1000 + 999)",
        "opened_at": _time("-12000000000"), "closed_at": _time("0"), "sightings": str(SIGHTINGS),
        "bodies": str(BODIES), "seq": "toInt64(b * 1000 + 999)", "log_id": f"'{LOG_ID}'",
    }),
    "blocks": (1, {
        "block_number": "b", "block_hash": _BLOCK_HASH, "block_time": _time("0"), "tx_count": str(TXS),
        "canonical": "true", "seen_at": _time("0"), "seq": "toInt64(b * 1000 + 999)", "log_id": f"'{LOG_ID}'",
    }),
    "block_txs": (TXS, {
        "block_number": "b", "block_hash": _BLOCK_HASH, "block_time": _time("0"), "tx_index": "i",
        "tx_hash": _TX_HASH, "seq": "toInt64(b * 1000 + 999)", "log_id": f"'{LOG_ID}'",
    }),
    "tx_sightings": (SIGHTINGS, {
        "window_number": "b", "seen_at": _time("-11000000000 + i * 50000000"), "tx_hash": _TX_HASH,
        "lane": "if(i % 2 = 0, 'p2p', 'rpc')", "source": "'node'", "seq": "toInt64(b * 1000 + i)",
        "log_id": f"'{LOG_ID}'",
    }),
    "transactions": (BODIES, {
        "window_number": "b", "first_seen_at": _time("-11000000000 + i * 50000000"), "tx_hash": _TX_HASH,
        "tx_type": "2", "chain_id": "1", "sender": "unhex(left(hex(SHA256(toString(i))), 40))",
        "input": "SHA512(concat(toString(b), toString(i)))", "r": "reinterpretAsUInt256(SHA256(toString(i)))",
        "lane": "'rpc'", "source": "'node'", "seq": "toInt64(b * 1000 + i)", "log_id": f"'{LOG_ID}'",
    }),
    "block_runs": (1, {
        "block_number": "b", "block_time": _time("0"), "block_hash": _BLOCK_HASH, "seen_at": _time("0"),
        "finished_at": _time("2000000000"), "engine": "'revm'", "live": "true",
    }),
    "opportunities": (CANDIDATES, {
        "block_number": "b", "block_time": _time("0"), "rank": "i", "opportunity_id": _TX_HASH,
        "kind": "'arbitrage'",
    }),
    "mev_labels": (CANDIDATES, {
        "block_number": "b", "block_time": _time("0"), "block_hash": _BLOCK_HASH, "kind": "'swap'",
        "position": "i", "tx_hashes": f"[{_TX_HASH}]",
    }),
}  # fmt: skip
TABLES_FILLED = tuple(_FILLED)


def block_time_ns(number: int) -> int:
    """Return when a block was made."""
    day, within = divmod(number - FIRST_BLOCK, BLOCKS_A_DAY)
    return FIRST_DAY_NS + day * NS_PER_DAY + within * 12 * NS_PER_SECOND


def fill(store: Store, days: int) -> None:
    """Write days, ten at a time, as a daemon's many inserts leave them: in several parts a table."""
    for first in range(0, days, DAYS_AT_ONCE):
        some = min(DAYS_AT_ONCE, days - first)
        for table, (each, columns) in _FILLED.items():
            names = ", ".join(quoted(name) for name in columns)
            offset = first * BLOCKS_A_DAY * each
            store.command(
                f"INSERT INTO {quoted(table)} ({names}) SELECT {', '.join(columns.values())} FROM ("  # noqa: S608
                f" SELECT {_BLOCK.format(each=each)} AS b, toUInt32(number % {each}) AS i, {_AT} AS at"
                f" FROM numbers({offset}, {some * BLOCKS_A_DAY * each}))"
                " SETTINGS max_partitions_per_insert_block = 0"
            )
    store.insert("writer_progress", {"log_id": [LOG_ID], "seq": [(FIRST_BLOCK + days * BLOCKS_A_DAY) * 1000]})


def bytes_per_block(store: Store, days: int) -> float:
    """Return what a block takes on disk over all tables, indexes included."""
    held = store.scalar(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = {db:String}"
        " AND has({tables:Array(String)}, table)",
        {"db": store.database, "tables": list(TABLES_FILLED)},
    )
    return float(held) / (days * BLOCKS_A_DAY)
