"""The processes of a running platform, kept alive by supervisord on a private unix socket.

`platform()` is the one list of what runs; everything else here starts it, stops it or asks how it is.
"""

import os
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from supervisor.xmlrpc import SupervisorTransport

from mev_dagster.errors import MevError, PortInUse
from mev_dagster.platform.dagster_home import short_socket, worker_socket
from mev_dagster.serving.listen import reached
from mev_dagster.settings import Settings
from mev_dagster.telemetry.retries import Backoff, Retry

CODE_LOCATION = "mev_dagster.definitions"
"""The module that Dagster's code server and the run worker load."""

STOP_SECONDS = 180
"""Every process may take its 20 s to end, one after the other."""


@dataclass(frozen=True, slots=True)
class Process:
    """One supervised process; `url` is what a person opens, `health` what a probe asks."""

    name: str
    argv: tuple[str, ...]
    url: str | None
    health: str
    port: int | None


class NotRunning(MevError):
    """No supervisor answers for this home."""

    code = "not_running"


STARTED = Retry(
    "supervisor_start",
    on=(NotRunning,),
    within_seconds=15.0,
    backoff=Backoff(first_seconds=0.1, limit_seconds=0.1),
)


def platform(config: Settings, ingest_arguments: tuple[str, ...]) -> list[Process]:
    """List the processes of the local profile, in start order."""
    python, host, home = sys.executable, config.host, str(config.dagster_home.resolve())
    binaries = Path(sys.executable).parent
    workspace = f"{home}/workspace.yaml"

    def mev(*arguments: str) -> tuple[str, ...]:
        return (python, "-m", "mev_dagster", *arguments)

    def at(port: int) -> str:
        return f"http://{reached(host)}:{port}"

    relay, daemon, webserver = (
        at(config.relay.port),
        at(config.ingest.port),
        at(config.dagster.webserver_port),
    )
    code_server: tuple[str, ...] = (
        str(binaries / "dagster"),
        "code-server",
        "start",
        "-m",
        CODE_LOCATION,
        "-h",
        host,
    )
    code_server += ("-p", str(config.dagster.code_server_port), "--location-name", "mev_dagster")
    web = (python, "-m", "resources.runtime.web", workspace)
    worker = str(worker_socket(config))
    # Where the heartbeats are kept in a file they are read there: a web server that hangs is no dead daemon.
    heartbeats = (
        f"heartbeats:{home}/storage/runs.db"
        if config.dagster.postgres_url is None
        else f"daemon:{webserver}/graphql"
    )
    processes = [
        Process("relay", mev("relay", "sandbox"), relay, f"{relay}/livez", config.relay.port),
        Process(
            "ingest",
            mev("ingest", *ingest_arguments),
            f"{daemon}/metrics",
            f"{daemon}/healthz",
            config.ingest.port,
        ),
        Process(
            "code-server",
            code_server,
            None,
            f"grpc://{reached(host)}:{config.dagster.code_server_port}",
            config.dagster.code_server_port,
        ),
        Process(
            "run-worker",
            (python, "-m", "resources.runtime.warm_worker", worker, CODE_LOCATION),
            None,
            f"unix://{worker}",
            None,
        ),
        Process("webserver", web, webserver, f"{webserver}/server_info", config.dagster.webserver_port),
        Process(
            "daemon",
            (str(binaries / "dagster-daemon"), "run", "-w", workspace),
            None,
            heartbeats,
            None,
        ),
    ]
    processes.append(
        Process(
            "watchdog",
            (python, "-m", "mev_dagster.platform.watchdog"),
            None,
            f"beat:{config.home.resolve()}/watchdog.beat",
            None,
        )
    )
    if config.store.url is None:
        store = at(config.store.port)
        processes.insert(
            0, Process("store", mev("store", "serve"), store, f"{store}/ping", config.store.port)
        )
    return processes


def socket_path(config: Settings) -> Path:
    """Return the supervisor's socket."""
    return short_socket(config, "supervisor")


def write_configuration(config: Settings, processes: list[Process]) -> Path:
    """Write supervisord's file and return its path."""
    home = config.home.resolve()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    sections = [
        f"[unix_http_server]\nfile={socket_path(config)}\nchmod=0600",
        f"[supervisord]\nlogfile={home}/logs/supervisord.log\npidfile={home}/supervisord.pid\nchildlogdir={home}/logs\n"
        "logfile_maxbytes=5MB\nlogfile_backups=1\nidentifier=mev",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for priority, process in enumerate(processes, start=1):
        command = " ".join(_quoted(argument) for argument in process.argv)
        sections.append(
            f"[program:{process.name}]\ncommand={command}\npriority={priority}\nautorestart=true\nstartsecs=1\n"
            f"startretries=5\nstopwaitsecs=20\nstopasgroup=true\nkillasgroup=true\nredirect_stderr=true\n"
            f"stdout_logfile={home}/logs/{process.name}.log\nstdout_logfile_maxbytes=20MB\nstdout_logfile_backups=2"
        )
    path = home / "supervisord.conf"
    path.write_text("\n\n".join(sections) + "\n")
    (home / "processes.json").write_bytes(msgspec.json.encode(processes))
    return path


def _quoted(argument: str) -> str:
    """Quote one argument for supervisord, which expands `%` and splits as a shell does."""
    escaped = argument.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped


def check_ports(config: Settings, processes: list[Process]) -> None:
    """Raise `PortInUse` naming the first port that something else listens on."""
    for process in processes:
        if process.port is None:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((config.host, process.port))
            except OSError as error:
                raise PortInUse(
                    f"{process.name} needs {config.host}:{process.port}, which is taken ({error.strerror}); "
                    f"set another with MEV_*_PORT"
                ) from error


@contextmanager
def supervisor(config: Settings) -> Iterator[Any]:
    """Yield supervisord's XML-RPC interface; raise `NotRunning` where nothing answers."""
    transport = SupervisorTransport(None, None, f"unix://{socket_path(config)}")
    proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
    try:
        proxy.supervisor.getState()
    except (OSError, xmlrpc.client.Error) as error:
        raise NotRunning(f"nothing runs for home {config.home}: start it with `mev up`") from error
    try:
        yield proxy.supervisor
    finally:
        transport.close()


def start(config: Settings, processes: list[Process], environment: dict[str, str]) -> None:
    """Start supervisord, which starts every process; return once it answers."""
    check_ports(config, processes)
    path = write_configuration(config, processes)
    subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(path)],
        env={**os.environ, **environment},
        check=True,
    )
    STARTED.sync()(_answers, config)


def _answers(config: Settings) -> None:
    with supervisor(config):
        return


def stop(config: Settings) -> None:
    """Stop every process and the supervisor; return when it has gone."""
    pid_file = config.home.resolve() / "supervisord.pid"
    with supervisor(config) as rpc:
        rpc.shutdown()
    deadline = time.monotonic() + STOP_SECONDS
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    if pid_file.exists():
        raise MevError(
            f"the supervisor did not stop within {STOP_SECONDS} s; see {config.home}/logs/supervisord.log"
        )


def restart(config: Settings, name: str) -> None:
    """Stop one process, by force where it does not end by itself, and start it again."""
    with supervisor(config) as rpc:
        rpc.stopProcess(name)
        rpc.startProcess(name)


def log_tail(config: Settings, name: str, lines: int = 15) -> str:
    """Return the end of one process's log."""
    path = config.home / "logs" / f"{name}.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""
