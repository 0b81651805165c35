"""The listening socket of a service."""

import errno
import socket

from mev_dagster.errors import InputError, PortInUse

BACKLOG = 1024


def bind(service: str, host: str, port: int, setting: str) -> socket.socket:
    """Listen on an address; port 0 takes any free one.

    The protocol is named: asyncio sets TCP_NODELAY only on what a socket made with IPPROTO_TCP accepts, and
    without it every answer of two writes waits 40 ms for the other side's delayed acknowledgement.

    Raises `PortInUse` where another process listens, naming the `setting` that moves the service, and
    `InputError` where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        where = f"{service}: {host}:{port}: {getattr(error, 'strerror', None) or error}"
        if isinstance(error, OSError) and error.errno in {errno.EADDRINUSE, errno.EACCES}:
            raise PortInUse(f"{where}; set {setting}") from error
        raise InputError(where) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address a listening socket is reached at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reached(host: str) -> str:
    """Return the name by which whoever listens on `host` is reached from here: any address is no name."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104
