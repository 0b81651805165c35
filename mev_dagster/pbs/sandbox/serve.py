"""The sandbox relay as a process: bind first, then say so, then serve until told to stop."""

import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.source import NodeSource
from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.node.http import JsonRpc
from mev_dagster.pbs.client.guard import require_loopback
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.sandbox.app import build_app
from mev_dagster.pbs.sandbox.engine_api import (
    AgreeingValidators,
    EngineApi,
    EngineApiValidator,
    Validator,
)
from mev_dagster.pbs.sandbox.faults import FaultPlan, plan_of
from mev_dagster.pbs.sandbox.faulty import Faulty
from mev_dagster.pbs.sandbox.relay import RelayRules, SandboxRelay
from mev_dagster.pbs.sandbox.slots import SandboxValidators, SlotBook, SourceSlots
from mev_dagster.pbs.sandbox.validator import ExecutionValidator, PaymentRule
from mev_dagster.serving import listen
from mev_dagster.serving.doors import Door, Guarded
from mev_dagster.serving.listen import url_of
from mev_dagster.serving.metrics import refusals
from mev_dagster.serving.protocol import DeadlineProtocol
from mev_dagster.telemetry.tracing import JsonLinesExporter, Tracing

IDLE_SECONDS = 30

__all__ = ["SandboxOptions", "bind", "open_relay", "serve", "server_for", "url_of"]


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What a sandbox process is told at its start; without a capture or a node it knows posted slots only."""

    capture: Path | None = None
    rpc_url: str | None = None
    seed: str | None = None
    floor_wei: int = 0
    strict_payment: bool = False
    engine: str = "py_evm"
    engine_api_url: str | None = None
    traces: Path | None = None
    faults: Path | None = None


def open_relay(options: SandboxOptions) -> SandboxRelay:
    """Make a relay with keys of its own; a seed makes them TEST-ONLY and the same each time."""
    validators = SandboxValidators(options.seed)
    keys = Keyring.ephemeral() if options.seed is None else Keyring.test_only(f"relay {options.seed}")
    exporters = [] if options.traces is None else [JsonLinesExporter(options.traces)]
    return SandboxRelay(
        slots=SlotBook(_source(options, validators)),
        validator=_validator(options),
        key=keys.bls,
        validators=validators,
        rules=RelayRules(floor_wei=options.floor_wei),
        tracing=Tracing("sandbox-relay", exporters),
        faults=FaultPlan() if options.faults is None else _plan_in(options.faults),
    )


def _plan_in(path: Path) -> FaultPlan:
    try:
        return plan_of(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _validator(options: SandboxOptions) -> Validator:
    own = ExecutionValidator(get_engine(options.engine), PaymentRule(options.strict_payment))
    if options.engine_api_url is None:
        return own
    return AgreeingValidators(own, EngineApiValidator(EngineApi(JsonRpc(options.engine_api_url))))


def _source(options: SandboxOptions, validators: SandboxValidators) -> SourceSlots | None:
    if options.capture is not None:
        capture = open_capture(options.capture)
        return SourceSlots(lambda: capture, validators)
    if options.rpc_url is not None:
        url = options.rpc_url
        return SourceSlots(lambda: NodeSource(JsonRpc(url)), validators)
    return None


def bind(host: str, port: int) -> socket.socket:
    """Listen on a loopback address; port 0 takes any free one."""
    require_loopback(host)
    return listen.bind("relay", host, port, "MEV_RELAY_PORT or --port")


def server_for(relay: SandboxRelay) -> uvicorn.Server:
    """Return a server that does not log each request and does not wait for idle connections."""
    faulty = Faulty(build_app(relay), lambda: relay.faults)
    app = Guarded(faulty, Door(), refusals(relay.metrics.registry))
    config = uvicorn.Config(
        app,
        http=DeadlineProtocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def serve(relay: SandboxRelay, bound: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, and end as told: uvicorn raises the signal again when it is done."""
    server = server_for(relay)

    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.run(sockets=[bound])
