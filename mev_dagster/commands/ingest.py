"""`mev ingest`: the daemon in the foreground."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.ingest.daemon import LaneFactory
    from mev_dagster.settings import Settings

app = typer.Typer(add_completion=False)

LANES = ("p2p", "rpc", "capture")


@app.command()
def ingest(
    *,
    lanes: Annotated[str, typer.Option(help=f"comma-separated: {', '.join(LANES)}")] = "",
    rpc: Annotated[str | None, typer.Option(help="node to follow, ws://host:port")] = None,
    capture: Annotated[Path | None, typer.Option(help="capture to play")] = None,
    speed: Annotated[str, typer.Option(help="of the capture: 1, N times real time, or max")] = "1",
    peer: Annotated[list[str] | None, typer.Option(help="enode the p2p lane keeps to; repeatable")] = None,
    once: Annotated[bool, typer.Option("--once", help="end when the capture ends; retry nothing")] = False,
    port: Annotated[
        int | None, typer.Option(help="of /metrics, /healthz, /readyz; 0 takes a free one")
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error")] = "info",
) -> None:
    """Follow lanes into the event log and the store until stopped."""
    from mev_dagster.settings import settings

    chosen = settings()
    if port is not None:
        chosen = chosen.changed(ingest={"port": port})
    if rpc is not None:
        chosen = chosen.changed(rpc={"url": rpc})
    factories = _factories(lanes, chosen, capture, speed, peer or [])

    import asyncio

    import pyarrow as pa

    from mev_dagster.ingest.daemon import IngestDaemon
    from mev_dagster.store.client import open_store
    from mev_dagster.telemetry.logging import configure

    configure(log_level)
    # For a process that stays: Arrow's own allocator keeps the pages of every batch it ever held, the
    # system's gives them back. `mev soak p2p` shows the difference.
    pa.set_memory_pool(pa.system_memory_pool())
    # A daemon that stays must not take the engine away from the store's own server; a single run may.
    daemon = IngestDaemon(chosen, factories, lambda: open_store(chosen, in_process=once), once=once)
    asyncio.run(daemon.run())


def _factories(
    lanes: str, chosen: "Settings", capture: Path | None, speed: str, peers: list[str]
) -> "list[LaneFactory]":
    from mev_dagster.errors import InputError

    rpc_url, chain_id = chosen.node_url, chosen.chain_id
    names = [name.strip() for name in lanes.split(",") if name.strip()]
    names = names or [
        name for name, given in (("p2p", peers), ("rpc", rpc_url), ("capture", capture)) if given
    ]
    factories: list[LaneFactory] = []
    for name in names:
        if name == "p2p":
            factories.append(_p2p_lane(chosen, peers))
        elif name == "rpc" and rpc_url:
            factories.append(_rpc_lane(rpc_url, chain_id))
        elif name == "capture" and capture:
            factories.append(_capture_lane(capture, parse_speed(speed)))
        elif name in LANES:
            raise InputError(f"lane {name} needs --{name}" + (" or MEV_RPC_URL" if name == "rpc" else ""))
        else:
            raise InputError(f"--lanes: no lane {name!r}; there are {', '.join(LANES)}")
    if not factories:
        raise InputError("no lane: give --rpc ws://host:port or --capture PATH")
    return factories


def _rpc_lane(url: str, chain_id: int | None) -> "LaneFactory":
    from mev_dagster.ingest.lanes.rpc import RpcLane
    from mev_dagster.node.websocket import check_websocket_url

    check_websocket_url(url)
    return lambda context: RpcLane(
        url,
        context.clock,
        chain=context.chain,
        knows=context.knows,
        decoded=context.decoded,
        chain_id=chain_id,
    )


def _p2p_lane(chosen: "Settings", peers: list[str]) -> "LaneFactory":
    from mev_dagster.devp2p.metrics import P2PMetrics
    from mev_dagster.devp2p.node import enodes
    from mev_dagster.ingest.lanes.p2p import P2PLane, node_config
    from mev_dagster.ingest.lanes.p2p_chain import Mimicry, RpcChain

    config = node_config(chosen, static=enodes(peers))
    return lambda context: P2PLane(
        config,
        RpcChain(chosen.node_http_url) if chosen.node_http_url else Mimicry(context.clock, chosen.chain_id),
        context.clock,
        P2PMetrics(context.registry),
        knows=context.knows,
    )


def _capture_lane(path: Path, speed: float | None) -> "LaneFactory":
    from mev_dagster.captures.format import open_capture
    from mev_dagster.ingest.lanes.capture import CaptureLane

    opened = open_capture(path)
    return lambda context: CaptureLane(opened, context.clock, speed=speed, chain=context.chain)


def parse_speed(text: str) -> float | None:
    """Read a pace: times real time, or None for `max`."""
    from mev_dagster.errors import InputError

    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise InputError(f"--speed: expected 1, a positive number or max, found {text!r}")
    return speed
