"""Hooks of venues that other packages bring: what they may say passes, and everything else is counted."""

from collections.abc import Callable
from typing import TypeVar

from mev_dagster import plugins
from mev_dagster.chain.receipts import Log
from mev_dagster.dex.constant_product import Hop
from mev_dagster.dex.said import a_call, a_hop, a_pool, an_amount
from mev_dagster.dex.venue import PairSwap, Pool, PoolCall, PoolState, Trade, Venue
from mev_dagster.errors import DecodeError, MissingState, PluginFailed, Unquotable
from mev_dagster.plugins import Plugin

Answer = TypeVar("Answer")
Refusal = DecodeError | MissingState | Unquotable


def ask(plugin: Plugin[Venue], call: Callable[[Venue], Answer]) -> Answer:
    """Return what a hook of a venue answers.

    Raises the refusals that the hook may raise, and `PluginFailed` (logged, counted) for whatever else goes
    wrong. Ours are called as they are.
    """
    if plugin.package == plugins.OURS:
        return call(plugin.hook)

    def answer(venue: Venue) -> tuple[Answer, None] | tuple[None, Refusal]:
        try:
            return call(venue), None
        except (DecodeError, MissingState, Unquotable) as refusal:
            return None, refusal

    try:
        given, refusal = plugins.bounded(plugin, answer)
    except PluginFailed as failure:
        plugins.note(failure)
        raise
    if refusal is not None:
        raise refusal
    return given  # type: ignore[return-value]  # without a refusal it is the answer


class GuardedPool(Pool):
    """A pool of another package's venue: what its code does wrong is `Unquotable` to whoever asks."""

    def __init__(self, plugin: Plugin[Venue], pool: Pool) -> None:
        self._plugin = plugin
        self._pool = pool
        self._said = (pool.address, pool.family, tuple(pool.tokens), pool.slots, pool.fee_ppm, pool.at)

    @property
    def address(self) -> bytes:
        """Return its address."""
        return self._said[0]

    @property
    def family(self) -> str:
        """Return whose pool it is."""
        return self._said[1]

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """Return what it trades."""
        return self._said[2]

    @property
    def slots(self) -> tuple[tuple[bytes, int], ...]:
        """Return what its quotes hang on."""
        return self._said[3]

    @property
    def fee_ppm(self) -> int:
        """Return what it keeps of an input."""
        return self._said[4]

    @property
    def at(self) -> PoolState:
        """Return its state as rows keep it."""
        return self._said[5]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GuardedPool) and self._pool == other._pool

    def __hash__(self) -> int:
        return hash(self.address)

    def quote(self, token_in: bytes, token_out: bytes, amount_in: int) -> int:
        """Return what the pool says it gives."""
        return self._ask(lambda: an_amount(self._pool.quote(token_in, token_out, amount_in)))

    def constant_product(self, token_in: bytes, token_out: bytes) -> Hop | None:
        """Return the reserves the pool says its formula runs on."""
        return self._ask(lambda: a_hop(self._pool.constant_product(token_in, token_out)))

    def after(self, log: Log) -> Pool | None:
        """Return the pool behind one of its logs."""
        try:
            pool = self._ask(lambda: a_pool(self._pool.after(log), self.address))
        except Unquotable:
            return None
        return None if pool is None else GuardedPool(self._plugin, pool)

    def call(self, trade: Trade) -> PoolCall | PairSwap:
        """Return the call that makes a trade."""
        return self._ask(lambda: a_call(self._pool.call(trade)))

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        try:
            return ask(self._plugin, lambda _: call())
        except (PluginFailed, DecodeError, MissingState) as failure:
            raise Unquotable(str(failure)) from failure
