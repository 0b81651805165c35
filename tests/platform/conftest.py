"""A real store server."""

from ingest_store import store, store_server

__all__ = ["store", "store_server"]
