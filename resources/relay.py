"""The relay that submissions go to: the sandbox of this platform unless told otherwise."""

import dagster as dg

from mev_dagster.pbs.client.relay import RelayClient, RelayEndpoint
from mev_dagster.settings import settings
from mev_dagster.telemetry.tracing import Tracing


class RelayResource(dg.ConfigurableResource):
    """A dry-run relay client; its guard talks to loopback only."""

    def client(self, tracing: Tracing) -> RelayClient:
        """Return a client; use it as an async context manager."""
        config = settings()
        return RelayClient(RelayEndpoint(config.submission_relays[0].url), tracing=tracing)
