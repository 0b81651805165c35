"""At most one canonical block a height in the store, whichever logs and writers lead there.

A log reverts its own blocks before it shows their rivals. Two logs of one chain, or a log that lost its
memory, know nothing of each other; here what is about to be written meets what the store holds.
"""

from collections.abc import Iterable
from importlib import resources
from typing import Any, NamedTuple

from mev_dagster.store.client import Store
from mev_dagster.windows.row_parts import RowPart, Rows

_HEIGHTS_IN_A_STATEMENT = 1_024
_CANONICAL_SQL = (resources.files("mev_dagster.windows") / "canonical_at.sql").read_text()


class Claim(NamedTuple):
    """A block that its log calls canonical."""

    number: int
    block_hash: bytes
    log_id: str
    seq: int
    seen_ns: int


Key = tuple[int, bytes]


def losers(claims: Iterable[Claim]) -> set[Key]:
    """Return the blocks that are not canonical where several claim a height.

    Within a log what comes later is right, whatever its clock says; between logs, what was seen later.
    """
    newest: dict[tuple[int, str], Claim] = {}
    everything = list(claims)
    for claim in everything:
        rival = newest.get((claim.number, claim.log_id))
        if rival is None or (claim.seq, claim.block_hash) > (rival.seq, rival.block_hash):
            newest[claim.number, claim.log_id] = claim
    best: dict[int, Claim] = {}
    for claim in newest.values():
        rival = best.get(claim.number)
        if rival is None or (claim.seen_ns, claim.block_hash) > (rival.seen_ns, rival.block_hash):
            best[claim.number] = claim
    return {
        (one.number, one.block_hash) for one in everything if best[one.number].block_hash != one.block_hash
    }


def settle(store: Store, rows: Rows) -> int:
    """Let one block a height stay canonical before these rows are written; return how many lost.

    Losers among the rows are changed here, losers in the store there, each with its window.
    """
    blocks = [row for part in (rows.revised, rows.written) for row in part["blocks"]]
    said = {(row["block_number"], row["block_hash"]): row for row in blocks}
    claims = [_claim(row) for row in said.values() if row["canonical"]]
    if not claims:
        return 0
    held = [claim for claim in _held(store, sorted({one.number for one in claims})) if claim[:2] not in said]
    lost = losers([*held, *claims])
    in_store = sorted({claim[:2] for claim in held} & lost)
    if in_store:
        keys = ", ".join(f"({number}, unhex('{block_hash.hex()}'))" for number, block_hash in in_store)
        for table, change in (("blocks", "canonical = false"), ("ingest_windows", "superseded = true")):
            store.command(
                f"ALTER TABLE {table} UPDATE {change} WHERE (block_number, block_hash) IN ({keys})"
                " SETTINGS mutations_sync = 2"
            )
    for part in (rows.revised, rows.written):
        _give_up(part, "blocks", lost, canonical=False)
        _give_up(part, "ingest_windows", lost, superseded=True)
    return len(lost)


def _held(store: Store, numbers: list[int]) -> list[Claim]:
    found: list[Claim] = []
    for start in range(0, len(numbers), _HEIGHTS_IN_A_STATEMENT):
        some = numbers[start : start + _HEIGHTS_IN_A_STATEMENT]
        found += [Claim(*row) for row in store.rows(_CANONICAL_SQL, {"numbers": some})]
    return found


def _claim(row: dict[str, Any]) -> Claim:
    return Claim(row["block_number"], row["block_hash"], row["log_id"], row["seq"], row["seen_at"])


def _give_up(part: RowPart, table: str, lost: set[Key], **change: bool) -> None:
    rows = part[table]
    if any((row["block_number"], row["block_hash"]) in lost for row in rows):
        part.put(
            table,
            [row | change if (row["block_number"], row["block_hash"]) in lost else row for row in rows],
        )
