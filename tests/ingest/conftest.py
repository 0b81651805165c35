"""The store server."""

from ingest_store import home, store, store_server

__all__ = ["home", "store", "store_server"]
