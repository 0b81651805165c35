"""From logs to what venues say in them, and to pools as they stand behind those logs."""

from collections.abc import Iterator, Mapping, Sequence

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.registry import venues
from mev_dagster.dex.venue import Pool
from mev_dagster.dex.venue_events import LiquidationEvent, OrderFilled, PoolCreated, SwapEvent, VenueEvent
from mev_dagster.errors import DecodeError, PluginFailed


def events_of(logs: Sequence[Log]) -> Iterator[tuple[int, VenueEvent]]:
    """Yield every event of a venue with the position of its log, in log order.

    Anyone may emit a log with a venue's topic; one whose shape is not the protocol's is no event of it.
    """
    decoders = venues().decoders
    for position, log in enumerate(logs):
        for decode in decoders.get(log.topics[0] if log.topics else b"", ()):
            try:
                event = decode(log)
            except (DecodeError, PluginFailed):
                continue
            yield position, event
            break


def swaps_of(logs: Sequence[Log]) -> tuple[tuple[int, SwapEvent], ...]:
    """Return every swap with the position of its log, in log order."""
    return tuple((position, event) for position, event in events_of(logs) if isinstance(event, SwapEvent))


def pools_behind(
    logs: Sequence[Log], pools: Mapping[bytes, Pool]
) -> tuple[dict[bytes, Pool], frozenset[bytes]]:
    """Return the pools that these logs speak of as they stand behind them, and those to be read again."""
    now: dict[bytes, Pool] = {}
    unclear: set[bytes] = set()
    for position, event in events_of(logs):
        if isinstance(event, LiquidationEvent | OrderFilled | PoolCreated):
            continue
        pool = now.get(event.pool, pools.get(event.pool))
        if pool is None or event.pool in unclear:
            continue
        behind = pool.after(logs[position])
        if behind is None:
            unclear.add(event.pool)
        else:
            now[event.pool] = behind
    return {address: now[address] for address in sorted(now) if address not in unclear}, frozenset(unclear)
