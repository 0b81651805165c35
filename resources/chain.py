"""The chain: a capture or a live node, whichever the settings name."""

import dagster as dg

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.source import ChainSource, NodeSource
from mev_dagster.errors import InputError
from mev_dagster.node.http import JsonRpc
from mev_dagster.settings import settings


class ChainResource(dg.ConfigurableResource):
    """Blocks, receipts and prestates."""

    def source(self) -> ChainSource:
        """Return the capture (`MEV_CAPTURE`) when there is one, else the node (`MEV_RPC_URL`)."""
        config = settings()
        if config.capture is not None:
            return open_capture(config.capture)
        if config.node_http_url is None:
            raise InputError("no chain to read: set MEV_RPC_URL to a node or MEV_CAPTURE to a capture")
        return NodeSource(JsonRpc(config.node_http_url))
