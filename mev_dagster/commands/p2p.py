"""`mev p2p`: talk to one peer, or serve transactions as one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.ingest.gateway import GatewaySource

app = typer.Typer(add_completion=False)


@app.command()
def probe(
    enode: Annotated[str, typer.Argument(help="enode://<id>@<ip>:<port>")],
    seconds: Annotated[float, typer.Option(help="give up after this long")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Shake hands with a peer and say who it is and which chain it is on."""
    import asyncio

    from mev_dagster.commands.output import jsonable, out, print_json
    from mev_dagster.devp2p.enode import parse_enode
    from mev_dagster.devp2p.probe import probe_peer

    found = asyncio.run(probe_peer(parse_enode(enode), seconds=seconds))
    if as_json:
        print_json(found)
        return
    fork = found["fork_id"]
    shown = {
        **found,
        "fork_id": f"{fork['hash'].hex()}, next {fork['next']}",
        "capabilities": ", ".join(found["capabilities"]),
    }
    for name, value in jsonable(shown).items():
        out.print(f"[bold]{name:14}[/] {value}", soft_wrap=True)


@app.command()
def gateway(
    *,
    rpc: Annotated[str | None, typer.Option(help="serve this node's pool, ws://host:port")] = None,
    capture: Annotated[Path | None, typer.Option(help="serve a capture's transactions")] = None,
    speed: Annotated[str, typer.Option(help="of the capture: 1, N times real time, or max")] = "1",
    generate: Annotated[float | None, typer.Option(help="made-up transactions a second")] = None,
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one")] = 0,
    seconds: Annotated[float | None, typer.Option(help="stop after this long")] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error")] = "info",
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON document on stdout, at the start")
    ] = False,
) -> None:
    """Announce and serve transactions over real RLPx until stopped; prints the enode to dial."""
    import asyncio

    from mev_dagster.commands.output import out, print_json
    from mev_dagster.ingest.gateway import run_gateway
    from mev_dagster.telemetry.logging import configure

    configure(log_level)
    source = _source(rpc, capture, speed, generate)

    def started(enode: str) -> None:
        if as_json:
            print_json({"enode": enode})
        else:
            out.print(enode, soft_wrap=True)

    asyncio.run(run_gateway(source, port=port, seconds=seconds, started=started))


def _source(rpc: str | None, capture: Path | None, speed: str, generate: float | None) -> "GatewaySource":
    from mev_dagster.errors import InputError
    from mev_dagster.ingest.gateway import capture_source, generator_source, rpc_source
    from mev_dagster.ingest.lanes.capture import parse_speed

    given = [option for option in (rpc, capture, generate) if option is not None]
    if len(given) != 1:
        raise InputError("give exactly one of --rpc, --capture and --generate")
    if rpc is not None:
        return rpc_source(rpc)
    if capture is not None:
        return capture_source(capture, parse_speed(speed))
    assert generate is not None, "one of the three is given"
    if not 0 < generate <= 10_000:
        raise InputError(f"--generate: expected up to 10000 a second, found {generate:g}")
    return generator_source(generate)
