"""`mev relay`: judge a submission file, run the sandbox relay, submit dry."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mev_dagster.commands.output import out, print_json
from mev_dagster.errors import DecodeError, InputError, UnsupportedFork
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.units import ETHER

if TYPE_CHECKING:
    from mev_dagster.blockrun.handing_over import HandedOver
    from mev_dagster.pbs.client.relay import RelayClient
    from mev_dagster.pbs.types import SubmitBlockRequest
    from mev_dagster.settings import RelayItem
    from mev_dagster.telemetry.tracing import Tracing

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def relay() -> None:
    """Sandbox relay, submission checks, dry-run submit."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="SubmitBlockRequest as JSON or SSZ, plain, gzip or zstd")],
    genesis_fork_version: Annotated[
        str | None, typer.Option(help="4-byte hex; absent: every network known here is tried")
    ] = None,
    parent_beacon_root: Annotated[
        str | None, typer.Option(help="32-byte hex; the block hash of Deneb and later covers it")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Judge a submission as a relay would, as far as it can be judged without the chain."""
    from dataclasses import asdict

    from mev_dagster.pbs import checks

    submission = _submission(file)
    results = [
        asdict(found)
        for found in checks.check_all(
            submission,
            genesis_fork_version=_hex_flag("--genesis-fork-version", genesis_fork_version, 4),
            parent_beacon_root=_hex_flag("--parent-beacon-root", parent_beacon_root, 32),
        )
    ]
    accepted = all(result["ok"] for result in results)
    if as_json:
        print_json({"accepted": accepted, "checks": results})
    else:
        verdict = "[green]accepted[/]" if accepted else "[red]refused[/]"
        out.print(f"[bold]{file.name}[/] ({submission.fork.version}): {verdict}")
        out.print(_checks_table(results))
    raise typer.Exit(0 if accepted else 1)


@app.command()
def sandbox(
    *,
    host: Annotated[str | None, typer.Option(help="loopback address to bind")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes any free port")] = None,
    capture: Annotated[Path | None, typer.Option(help="judge on this capture's blocks and states")] = None,
    rpc: Annotated[str | None, typer.Option(help="judge on this node's blocks and states")] = None,
    seed: Annotated[str | None, typer.Option(help="TEST-ONLY keys derived from this, for replays")] = None,
    floor_wei: Annotated[int, typer.Option(min=0, help="bids up to this are not simulated")] = 0,
    strict_payment: Annotated[
        bool, typer.Option("--strict-payment", help="the proposer must gain exactly the bid")
    ] = False,
    engine: Annotated[str, typer.Option(help="engine that re-executes submissions")] = "py_evm",
    engine_api: Annotated[
        str | None, typer.Option(help="a client's Engine API that must agree on every block")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="a fault plan: what goes wrong, and when")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="announce the address as JSON")] = False,
) -> None:
    """Run the sandbox relay in the foreground."""
    from mev_dagster.pbs.sandbox.serve import SandboxOptions, bind, open_relay, serve, url_of
    from mev_dagster.settings import settings

    config = settings()
    source = capture or (None if rpc else config.capture)
    bound = bind(host or config.host, config.relay.port if port is None else port)
    opened = open_relay(
        SandboxOptions(
            capture=source,
            rpc_url=rpc or (None if source else config.node_http_url),
            seed=seed,
            floor_wei=floor_wei,
            strict_payment=strict_payment,
            engine=engine,
            engine_api_url=engine_api,
            traces=config.home / "traces" / "relay.jsonl",
            faults=faults,
        )
    )
    if as_json:
        print_json({"url": url_of(bound), "pubkey": opened.key.pubkey})
    else:
        out.print(f"sandbox relay on {url_of(bound)}, key {to_hex(opened.key.pubkey)}")
    sys.stdout.flush()
    serve(opened, bound)


@app.command()
def submit(
    file: Annotated[Path | None, typer.Argument(help="a submission as `check` reads it")] = None,
    *,
    capture: Annotated[Path | None, typer.Option(help="build from this capture instead")] = None,
    block: Annotated[int | None, typer.Option(help="the capture's block to compete with")] = None,
    url: Annotated[str | None, typer.Option(help="one relay; default: those of the settings")] = None,
    encoding: Annotated[str | None, typer.Option(help="ssz or json; default from settings")] = None,
    gzip: Annotated[bool | None, typer.Option("--gzip", help="compress the body")] = None,
    cancellations: Annotated[
        bool | None, typer.Option("--cancellations", help="a later bid replaces an earlier one")
    ] = None,
    deadline_ms: Annotated[
        int | None, typer.Option(min=1, max=60_000, help="give up after this; default from settings")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Submit dry: hand a block to the relays of the settings and show what they checked."""
    import asyncio

    from mev_dagster.settings import RelayItem, settings

    if encoding not in {None, "ssz", "json"}:
        raise InputError(f"--encoding: expected ssz or json, found {encoding}")
    config = settings()
    told = {"encoding": encoding, "gzip": gzip, "cancellations": cancellations}
    flags = {name: value for name, value in told.items() if value is not None}
    named = (RelayItem(url=url),) if url else config.submission_relays
    items = [item.model_copy(update=flags) for item in named]
    bound_ms = config.relay.deadline_ms if deadline_ms is None else deadline_ms
    if file is not None and capture is None and block is None:
        outcome = asyncio.run(_submit_file(file, items, bound_ms))
    elif file is None and capture is not None and block is not None:
        outcome = asyncio.run(_submit_block(capture, block, items, bound_ms))
    else:
        raise InputError("give either a submission file, or --capture with --block")
    if as_json:
        print_json(outcome)
    else:
        _print_outcome(outcome)
    raise typer.Exit(0 if outcome["accepted"] else 1)


def _clients(items: "Sequence[RelayItem]", tracing: "Tracing") -> "tuple[RelayClient, ...]":
    """Return the clients; a relay that only the command names is tried whatever became of it before."""
    from mev_dagster.pbs.client.registry import endpoint_of, relay_clients
    from mev_dagster.pbs.client.relay import RelayClient
    from mev_dagster.settings import settings

    if {item.url for item in items} <= {item.url for item in settings().submission_relays}:
        return relay_clients(items, home=settings().home, tracing=tracing)
    return tuple(RelayClient(endpoint_of(item), tracing=tracing) for item in items)


async def _submit_file(file: Path, items: "Sequence[RelayItem]", bound_ms: int) -> dict[str, Any]:
    import asyncio
    from contextlib import AsyncExitStack

    from mev_dagster.blockrun.handing_over import hand_over_signed
    from mev_dagster.telemetry.tracing import Tracing

    submission = _submission(file)
    async with AsyncExitStack() as stack:
        made = _clients(items, Tracing("builder"))
        clients = [await stack.enter_async_context(client) for client in made]
        handed_over = await asyncio.gather(
            *(
                hand_over_signed(submission, client, deadline_ms=bound_ms, superseded=lambda: False)
                for client in clients
            )
        )
    return _outcome(handed_over)


async def _submit_block(
    capture: Path, number: int, items: "Sequence[RelayItem]", bound_ms: int
) -> dict[str, Any]:
    from contextlib import AsyncExitStack

    from mev_dagster.blockrun.decide import decide
    from mev_dagster.blockrun.dry_run import dry_run
    from mev_dagster.blockrun.judge import judge_of
    from mev_dagster.captures.format import open_capture
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.pbs.bid_strategies import strategies_of
    from mev_dagster.pbs.keys import Keyring
    from mev_dagster.search.inputs import capture_inputs
    from mev_dagster.settings import settings
    from mev_dagster.telemetry.tracing import Tracing

    engine, tracing, config = get_engine(), Tracing("builder"), settings()
    made = _clients(items, tracing)  # refuses what is wrong before any work is done
    strategies = strategies_of(items)
    with open_capture(capture) as opened:
        inputs = next(capture_inputs(opened, number))
        landed = opened.block(number)
    async with AsyncExitStack() as stack:
        run = await dry_run(
            inputs,
            decide(inputs, engine, judge_of(config)),
            landed,
            clients=[await stack.enter_async_context(client) for client in made],
            engine=engine,
            keys=Keyring.ephemeral(),
            tracing=tracing,
            deadline_ms=bound_ms,
            superseded=lambda: False,
            strategies=strategies,
        )
    template = run.template
    return _outcome(run.handed_over) | {
        "block_hash": to_hex(template.sealed.block.hash),
        "transactions": len(template.sealed.block.transactions),
        "opportunity_ids": list(template.opportunity_ids),
        "bid_wei": str(template.bid_wei),
        "trace_id": run.trace_id.hex(),
    }


def _outcome(handed_over: "Sequence[HandedOver]") -> dict[str, Any]:
    """Return what became of a block: at the first relay that took it, and at each where there are several."""
    if not handed_over:
        return {"accepted": False, "ended": "nothing_to_bid", "attempts": [], "checks": []}
    told = [_outcome_at(one) for one in handed_over]
    first = next((one for one in told if one["accepted"]), told[0])
    if len(told) == 1:
        return first
    names = [one.report.relay for one in handed_over]
    relays = [{"relay": name, **one} for name, one in zip(names, told, strict=True)]
    return {**first, "accepted": all(one["accepted"] for one in told), "relays": relays}


def _outcome_at(handed_over: "HandedOver") -> dict[str, Any]:
    report, receipts = handed_over.report, handed_over.receipts
    return {
        "accepted": report.accepted,
        "ended": report.ended.value,
        "attempts": [
            {"status": attempt.status, "outcome": attempt.outcome.value, "message": attempt.message}
            for attempt in report.attempts
        ],
        "checks": receipts[-1]["checks"] if receipts else [],
    }


def _print_outcome(outcome: Mapping[str, Any]) -> None:
    verdict = "[green]accepted[/]" if outcome["accepted"] else f"[red]{outcome['ended']}[/]"
    out.print(f"[bold]{len(outcome['attempts'])} attempt(s)[/]: {verdict}")
    for relay in outcome.get("relays", ()):
        out.print(f"  {relay['relay']}: {relay['ended']}", markup=False)
    for name in ("block_hash", "transactions", "bid_wei", "trace_id"):
        if name in outcome:
            out.print(f"  {name:12} {outcome[name]}")
    for attempt in outcome["attempts"]:
        if attempt["message"]:
            out.print(f"  {attempt['status']} {attempt['message']}", markup=False)
    if outcome["checks"]:
        out.print(_checks_table(outcome["checks"]))


@app.command()
def rebuild(
    path: Annotated[Path, typer.Argument(help="a block file as `mev parity` reads it, or a folder of them")],
    engine: Annotated[str, typer.Option(help="auto, py_evm or revm")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Build blocks that landed again from their own transactions, and compare what they are worth."""
    from dataclasses import asdict

    from mev_dagster.evm.block_files import block_paths, load_block_file
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.pbs.rebuilt import rebuild as rebuilt
    from mev_dagster.pbs.sim_values import Ordering
    from mev_dagster.search.inputs import known_only

    chosen, found = get_engine(engine), []
    for file in map(load_block_file, block_paths(path)):
        try:
            known = known_only(file.prestate)
            found.append(rebuilt(chosen, file.block, file.prestate, known, file.chain_id))
        except UnsupportedFork:
            continue  # from before the merge: nobody builds for a relay there
    if as_json:
        print_json({"blocks": [asdict(one) for one in found]})
        return
    table = Table("block", "holds", "by", "worth", "by tip", "landed", title="ether")
    for one in found:
        landed = "" if one.chain_value_wei is None else _ether(one.chain_value_wei)
        worth, plain = (_ether(wei) for wei in (one.value_wei, one.values_wei[Ordering.TIP]))
        table.add_row(
            str(one.number), f"{one.included}/{one.transactions}", one.ordering, worth, plain, landed
        )
    out.print(table)


def _ether(amount_wei: int) -> str:
    return f"{amount_wei / ETHER:.6f}"


def _checks_table(results: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("check", "", "code", "message"):
        table.add_column(column)
    for result in results:
        mark = "[green]ok[/]" if result["ok"] else "[red]failed[/]"
        table.add_row(result["name"], mark, result["code"], result["message"])
    return table


def _submission(file: Path) -> "SubmitBlockRequest":
    from mev_dagster.pbs import wire

    try:
        return wire.decode_submission(wire.decompress(file.read_bytes()))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    except DecodeError as error:
        raise DecodeError(error.reason, f"{file}: {error.detail}") from error


def _hex_flag(flag: str, text: str | None, size: int) -> bytes | None:
    if text is None:
        return None
    try:
        return from_hex(text, size)
    except ValueError as error:
        raise InputError(f"{flag}: {error}") from error
