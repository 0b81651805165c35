"""The sandbox relay as a process: bind first, then say so, then serve until told to stop."""

import errno
import socket

import uvicorn

from mev_dagster.errors import InputError, PortInUse
from mev_dagster.pbs.client.guard import require_loopback
from mev_dagster.pbs.sandbox.app import build_app
from mev_dagster.pbs.sandbox.relay import SandboxRelay

IDLE_SECONDS = 30
MAX_CONNECTIONS = 256


def bind(host: str, port: int) -> socket.socket:
    """Bind a loopback address; port 0 takes any free one."""
    require_loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen()
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"relay: {host}:{port}: {error.strerror}; set MEV_RELAY_PORT or --port"
            ) from error
        raise InputError(f"relay: {host}:{port}: {error.strerror}") from error
    return made


def url_of(bound: socket.socket) -> str:
    """Return the address a bound socket is reached at."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_for(relay: SandboxRelay) -> uvicorn.Server:
    """Return a server that does not log each request and does not wait for idle connections."""
    config = uvicorn.Config(
        build_app(relay),
        log_level="warning",
        access_log=False,
        lifespan="off",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def serve(relay: SandboxRelay, bound: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    server_for(relay).run(sockets=[bound])
