"""Where a drill's files go: a folder the user names and keeps, or one that is gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mev_dagster.errors import InputError


@contextmanager
def drill_folder(home: Path | None) -> Iterator[Path]:
    """Yield a new folder; what was there before is never touched."""
    if home is None:
        with tempfile.TemporaryDirectory(prefix="mev-drill-") as folder:
            yield Path(folder)
        return
    if home.exists() and any(home.iterdir()):
        raise InputError(f"--home {home}: expected a folder that is new or empty")
    home.mkdir(parents=True, exist_ok=True)
    yield home.resolve()
