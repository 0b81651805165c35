"""The newest candidates and bids, read from the store for a page: seldom, and nobody waits."""

import asyncio
import time
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

from mev_dagster.errors import MevError

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

READ_EVERY_SECONDS = 4.0

_FILES = resources.files("mev_dagster.ingest")
_CANDIDATES_SQL = (_FILES / "newest_candidates.sql").read_text()
_BIDS_SQL = (_FILES / "newest_bids.sql").read_text()
_CANDIDATE = ("block", "rank", "kind", "expected_profit_wei", "simulated_profit_wei", "verified")
_BID = ("block", "relay", "accepted", "error", "value_wei")


class NewestResults:
    """Reads at most every few seconds, one at a time; meanwhile what was read last is told."""

    def __init__(self, connect: "Callable[[], Store]", clock: Callable[[], float] = time.monotonic) -> None:
        self._connect, self._clock = connect, clock
        self._store: Store | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_at = -READ_EVERY_SECONDS
        self._told: dict[str, Any] = {"candidates": [], "bids": [], "store": "not read yet"}

    def newest(self) -> dict[str, Any]:
        """Return what was read last; amounts are text, for they fit no number of a browser."""
        due = self._clock() - self._read_at >= READ_EVERY_SECONDS
        if due and (self._reading is None or self._reading.done()):
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return self._told

    async def close(self) -> None:
        """Let the store go."""
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._store is not None:
            await asyncio.to_thread(self._store.close)

    async def _read(self) -> None:
        try:
            self._told = await asyncio.to_thread(self._rows)
        except MevError as error:
            self._store = None
            self._told = self._told | {"store": str(error)}
        finally:
            self._read_at = self._clock()

    def _rows(self) -> dict[str, Any]:
        store = self._store = self._store or self._connect()
        return {
            "candidates": [_shown(_CANDIDATE, row) for row in store.rows(_CANDIDATES_SQL)],
            "bids": [_shown(_BID, row) for row in store.rows(_BIDS_SQL)],
            "store": "",
        }


def _shown(names: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    pairs = zip(names, row, strict=True)
    return {
        name: str(value) if name.endswith("_wei") and value is not None else value for name, value in pairs
    }
