"""The store for researchers: `mev_dagster.connect()`."""

from typing import TYPE_CHECKING, Any

from mev_dagster.settings import Settings
from mev_dagster.settings import settings as process_settings
from mev_dagster.store.client import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd


class Reader:
    """Frames of the store's tables: amounts as exact integers, hashes as bytes, times in UTC nanoseconds."""

    def __init__(self, store: Store):
        self._store = store

    def frame(
        self,
        table: str,
        *,
        blocks: range | None = None,
        since: Any = None,
        until: Any = None,
        columns: "Sequence[str] | None" = None,
    ) -> "pd.DataFrame":
        """Return rows of a table, in key order, of a range of blocks or of times (`until` is exclusive)."""
        return self._store.frame(table, blocks=blocks, since=since, until=until, columns=columns)

    def sql(self, statement: str, params: "Mapping[str, Any] | None" = None) -> list[tuple[Any, ...]]:
        """Return the rows of any SELECT; `v_*` views show hashes as 0x-hex."""
        return self._store.rows(statement, params)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(settings: Settings | None = None) -> Reader:
    """Open the store these settings (by default those of the environment) mean, for reading."""
    return Reader(open_store(settings or process_settings()))
