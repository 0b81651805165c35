"""The HTTP client sends each request once, over one kept-alive connection."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mev_dagster.node.http import JsonRpc


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append((self.client_address, request["method"]))
        self.server.authorizations.append(self.headers["Authorization"])
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": request["method"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def node() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Node)
    server.calls, server.authorizations = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_requests_are_sent_once_each_over_one_connection(node):
    with JsonRpc(f"http://127.0.0.1:{node.server_port}") as rpc:
        assert [rpc.call(name) for name in ("one", "two", "three")] == ["one", "two", "three"]
    assert [method for _, method in node.calls] == ["one", "two", "three"]
    assert len({address for address, _ in node.calls}) == 1


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ("", None),
        ("user:password@", "Basic dXNlcjpwYXNzd29yZA=="),
        ("user:p%40ss%3A@", "Basic dXNlcjpwQHNzOg=="),
        ("key@", "Basic a2V5Og=="),
    ],
)
def test_credentials_of_an_address_become_the_authorization_header(node, user, header):
    with JsonRpc(f"http://{user}127.0.0.1:{node.server_port}") as rpc:
        rpc.call("eth_chainId")
    assert node.authorizations == [header]
