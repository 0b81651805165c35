"""The ingest room's real store server, and the home that a whole capture was ingested into."""

from capture_home import home as capture_home
from ingest_store import home, store, store_server

__all__ = ["capture_home", "home", "store", "store_server"]
