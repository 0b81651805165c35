"""A pool book on disk: one canonical JSON line a pool, the digest of all of them in the first.

Pairs are kept with their reserves. Pools of other venues are kept by address and read again when the book is
next held against a node.
"""

import json
import os
from pathlib import Path
from typing import Any

from mev_dagster.dex.book import PoolBook
from mev_dagster.dex.venues.uniswap_v2.pool import Pair
from mev_dagster.dex.venues.uniswap_v2.venue import FEES
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import from_hex, to_hex


def save(book: PoolBook, path: Path, *, scanned_to: int | None = None) -> None:
    """Write the book, whole or not at all; up to `scanned_to` logs were searched for pools."""
    pairs = [pool for pool in book.searchable() if isinstance(pool, Pair)]
    kept = {pair.address for pair in pairs}
    others = sorted({*(address for address in book.known if address not in kept), *book.wanted})
    head = {
        "number": book.number,
        "block_hash": to_hex(book.block_hash),
        "digest": to_hex(PoolBook(pairs, number=book.number, block_hash=book.block_hash).digest()),
        "scanned_to": scanned_to,
        "unread": [to_hex(address) for address in others],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w") as file:
        file.write(json.dumps(head) + "\n")
        for pair in pairs:
            told = (
                to_hex(pair.address),
                to_hex(pair.token0),
                to_hex(pair.token1),
                pair.reserve0,
                pair.reserve1,
            )
            file.write(json.dumps([*told, pair.family]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def load(path: Path) -> tuple[PoolBook, int | None]:
    """Read a book and how far logs were searched; raises `InputError` where it is not what was written."""
    try:
        with path.open() as file:
            head = json.loads(file.readline())
            book = PoolBook(
                (_pair(json.loads(line)) for line in file),
                number=head["number"],
                block_hash=from_hex(head["block_hash"]),
            )
            if to_hex(book.digest()) != head["digest"]:
                raise InputError(f"{path}: its pools are not those that its digest names")
            book.wanted.update(dict.fromkeys(map(from_hex, head["unread"])))
            return book, head["scanned_to"]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no pool book: {error}") from error


def _pair(told: Any) -> Pair:
    address, token0, token1, reserve0, reserve1, family = told
    return Pair(
        from_hex(address),
        from_hex(token0),
        from_hex(token1),
        int(reserve0),
        int(reserve1),
        FEES[family],
        str(family),
    )
