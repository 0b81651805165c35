"""`mev ingest`: the daemon in the foreground."""

from pathlib import Path
from typing import Annotated

import typer

from mev_dagster.plugins import BUILT_IN

app = typer.Typer(add_completion=False)

LANES = ", ".join(BUILT_IN["lanes"])


@app.command()
def ingest(
    action: Annotated[
        str,
        typer.Argument(help="reload: the running daemon reads its lanes again", show_default=False),
    ] = "",
    *,
    mode: Annotated[str | None, typer.Option(help="p2p, rpc or hybrid: lanes by what they are for")] = None,
    lanes: Annotated[str, typer.Option(help=f"comma-separated: {LANES}, or a plug-in's")] = "",
    rpc: Annotated[
        list[str] | None, typer.Option(help="node to follow, ws://host:port; repeatable, the preferred first")
    ] = None,
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
    from mev_dagster.errors import InputError
    from mev_dagster.ingest.lanes.registry import lane_factories
    from mev_dagster.settings import Settings, settings
    from mev_dagster.settings.items import words

    if action:
        if action != "reload":
            raise InputError(f"mev ingest: expected reload or nothing, found {action!r}")
        reload(port)
        return
    if mode and lanes:
        raise InputError("--mode and --lanes both say which lanes run: give one of them")

    def told(base: Settings) -> Settings:
        """Return the settings with what the flags say."""
        if port is not None:
            base = base.changed(ingest={"port": port})
        if mode is not None:
            base = base.changed(ingest={"mode": mode})
        if rpc and len(rpc) == 1:
            return base.changed(rpc={"url": rpc[0]})
        return base.changed(rpc={"url": None}, providers=[{"url": url} for url in rpc]) if rpc else base

    flags: dict[str, dict[str, str]] = {
        "p2p": {"peers": ",".join(peer)} if peer else {},
        "capture": {"path": str(capture), "speed": speed} if capture else {},
    }
    chosen = told(settings())
    factories = lane_factories(chosen, names=words(lanes), flags=flags)

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
    daemon = IngestDaemon(
        chosen,
        factories,
        lambda: open_store(chosen, in_process=once),
        once=once,
        lanes_again=lambda: lane_factories(told(Settings()), names=words(lanes), flags=flags),
    )
    asyncio.run(daemon.run())


def reload(port: int | None) -> None:
    """Tell the running daemon to read the profile again, and print which lanes came and went."""
    from mev_dagster.commands.output import print_json
    from mev_dagster.ingest.daemon_client import tell
    from mev_dagster.settings import settings

    chosen = settings() if port is None else settings().changed(ingest={"port": port})
    print_json(tell(chosen, "/lanes/reload", {}))
