"""Names as callers from before a change know them: each only translates the call (tests/moved_names.json)."""

from types import SimpleNamespace
from typing import Any

from mev_dagster.dex.venues.uniswap_v2 import pool
from mev_dagster.search import pending


class Pair(pool.Pair):
    """A pair whose `after` takes amounts; today that is `swapped`, and `after` takes a log."""

    __slots__ = ()
    __hash__ = pool.Pair.__hash__

    def after(self, token_in: bytes, sold: int, bought: int) -> "pool.Pair":
        """Return the pair behind a trade."""
        return self.swapped(token_in, sold, bought)


class _Session:
    """A session that knows `run` alone, asked for every beginning of its transactions."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run_each(self, txs: Any) -> list[Any]:
        """Return the results of every beginning of one run."""
        results = self._session.run(txs).txs
        return [SimpleNamespace(txs=results[: count + 1]) for count in range(len(txs))]


def try_pending(txs: Any, state: Any, session: Any, graph: Any, env: Any) -> Any:
    """Execute what is pending with a session of before."""
    return pending.try_pending(txs, state, _Session(session), graph, env)


def template_for(*inputs: Any, strategy: Any = None, **options: Any) -> Any:
    """Return the block of one bidding strategy; today every relay's strategy is asked."""
    # Here and not above: what this imports asks for other names of this file while it is read.
    from mev_dagster.blockrun import building
    from mev_dagster.pbs.bidding import TrueValue

    return building.templates_for(*inputs, strategies=(strategy or TrueValue(),), **options)[0]
