"""The shipped capture ingested into a home of its own: the same as the asset tests have."""

from capture_home import home

__all__ = ["home"]
