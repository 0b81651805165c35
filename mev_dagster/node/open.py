"""Open a connection to a node, by whatever its address says."""

from collections.abc import Mapping

from mev_dagster.node.link import NodeLink, check_node_url
from mev_dagster.node.polling import PollingNode
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import Clock


async def open_node(url: str, clock: Clock, *, headers: Mapping[str, str] | None = None) -> NodeLink:
    """Connect over WebSocket, an IPC socket, or HTTP, which is polled."""
    if check_node_url(url).startswith("http"):
        return await PollingNode.open(url, clock, headers=headers)
    return await NodeConnection.open(url, clock, headers=headers)
