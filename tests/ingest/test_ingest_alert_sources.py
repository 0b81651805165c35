"""Alertmanager and Prometheus are asked for firing alerts; a bad answer is a line, never a traceback."""

import socket
import threading

import pytest

from mev_dagster.errors import InputError
from mev_dagster.ingest.alert_sources import fetch
from mev_dagster.settings import Settings


def answered(reply: bytes):
    """Serve these bytes once; return the address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as connection:
            connection.recv(65_536)
            connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
    ],
)
def test_a_service_that_answers_nonsense_is_told_of_in_one_line(reply):
    url = answered(reply)
    found, silent = fetch(Settings(alerts={"alertmanager_url": url}))
    assert found == []
    assert len(silent) == 1
    assert silent[0].startswith(url)


def test_an_address_that_is_none_is_refused_with_the_settings():
    with pytest.raises(InputError, match="prometheus_url: expected http"):
        Settings(alerts={"prometheus_url": "http://[::1"})
