"""Dagster resources: thin doors to the store, the event log, the chain, the engine and the relay.

Each reads the process's `Settings` (environment `MEV_*`), so one environment configures the command line,
the daemon and every run alike.
"""

from mev_dagster.settings import settings
from resources.block_search import BlockSearchResource
from resources.chain import ChainResource
from resources.engine import EngineResource
from resources.event_log import EventLogResource
from resources.relay import RelayResource
from resources.store import StoreResource


def defaults() -> dict[str, object]:
    """Return the resources of the code location, by the parameter name that assets ask for."""
    store, event_log, chain = StoreResource(in_process=False), EventLogResource(), ChainResource()
    engine = EngineResource(name=settings().evm.engine)
    search = BlockSearchResource(store=store, event_log=event_log, chain=chain, engine=engine)
    return {
        "store": store,
        "event_log": event_log,
        "chain": chain,
        "engine": engine,
        "search": search,
        "relay": RelayResource(),
    }
