"""Ethereum mempool and MEV research, and dry-run block building, orchestrated by Dagster.

The rooms and what each hands out are described in `docs/architecture.md`; every room's own
docstring says what it is for. Importing this package imports no room.
"""

__version__ = "0.1.0"
