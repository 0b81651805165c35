"""Ethereum mempool and MEV research, and dry-run block building, orchestrated by Dagster.

The rooms and what each hands out are described in `docs/architecture.md`; every room's own
docstring says what it is for. Importing this package imports no room.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mev_dagster.settings import Settings
    from mev_dagster.store.reader import Reader

__version__ = "0.1.0"


def connect(settings: "Settings | None" = None) -> "Reader":
    """Open the store for reading: `mev_dagster.connect().frame("opportunities", blocks=range(a, b))`."""
    from mev_dagster.store import reader

    return reader.connect(settings)
