"""The shipped capture ingested into a home of its own: the same as the asset tests have."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "assets"))

from capture_home import home

__all__ = ["home"]
