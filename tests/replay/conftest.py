"""The ingest room's real store server, and a log that its feeder has stored."""

from ingest_store import home, store, store_server

__all__ = ["home", "store", "store_server"]
