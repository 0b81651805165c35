"""The store, opened once per run."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field, PrivateAttr

from mev_dagster.blockrun.source_code import refuse_other_code
from mev_dagster.settings import settings
from mev_dagster.store.client import Store, open_store


class StoreResource(dg.ConfigurableResource):
    """ClickHouse by URL, or the embedded server of this home.

    A run never opens the embedded engine in its own process unless it is told to: while the server is down
    for a moment, the run would take the engine away from it.
    """

    in_process: bool = Field(
        False, description="may own the embedded engine where no server advertises itself"
    )

    _store: Store | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator["StoreResource", None, None]:
        """Open the store when a run begins and close it when it ends."""
        if context.run is not None:
            refuse_other_code(context.run.tags)
        with _AHEAD.pop() if _AHEAD else open_store(settings(), in_process=self.in_process) as store:
            self._store = store
            yield self
            self._store = None

    @property
    def client(self) -> Store:
        """Return the open store."""
        if self._store is None:
            raise dg.DagsterInvariantViolationError("the store is open only inside a run")
        return self._store


_AHEAD: list[Store] = []


def open_ahead() -> None:
    """Open the store for the run that this process will execute next."""
    store = open_store(settings(), in_process=False)
    store.ping()
    _AHEAD.append(store)


@contextmanager
def service_store() -> Iterator[Store]:
    """Open the store for a sensor or schedule, which must never own the embedded engine.

    Its schema is the daemon's business: sensors ask often, and a store without tables has nothing for them.
    """
    with open_store(settings(), in_process=False, migrate=False) as store:
        yield store
