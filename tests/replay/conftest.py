"""The ingest room's real store server, and a log that its feeder has stored."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ingest"))

from ingest_store import home, store, store_server

__all__ = ["home", "store", "store_server"]
