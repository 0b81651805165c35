"""Names as callers from before a change know them: each only translates the call (tests/moved_names.json)."""

from mev_dagster.dex.venues.uniswap_v2 import pool


class Pair(pool.Pair):
    """A pair whose `after` takes amounts; today that is `swapped`, and `after` takes a log."""

    __slots__ = ()
    __hash__ = pool.Pair.__hash__

    def after(self, token_in: bytes, sold: int, bought: int) -> "pool.Pair":
        """Return the pair behind a trade."""
        return self.swapped(token_in, sold, bought)
