"""The platform's tests share one ingested capture."""

from capture_home import home

__all__ = ["home"]
