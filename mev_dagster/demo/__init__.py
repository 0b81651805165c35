"""The devnet and the story told with it.

Contracts of our own in Vyper, a seeded scenario of traders played on a real anvil node, the recording of
it that ships with the package, and the scripted narrative of `mev demo` that walks the whole loop over it.
"""

from pathlib import Path

SHIPPED_CAPTURE = Path(__file__).resolve().parent / "capture"
"""The recording of the devnet scenario that ships with the package; `make devnet-record` makes it again."""
