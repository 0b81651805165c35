"""The JSON-RPC client against a server that answers exactly what a test tells it to."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mev_dagster.errors import InputError, NodeAnswerError, NodeUnreachable
from mev_dagster.node.http import JsonRpc

Answer = Callable[[object], bytes]


class Node(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Node

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = self.server.answer(request)
        self.send_response(200 if not body.startswith(b"HTTP") else int(body.split()[1]))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def node(answer: Answer) -> Iterator[Node]:
    server = Node(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def echo(request: object) -> bytes:
    """Answer each call with its own parameters, the last first."""
    calls = request if isinstance(request, list) else [request]
    answers = [{"jsonrpc": "2.0", "id": call["id"], "result": call["params"]} for call in reversed(calls)]
    return json.dumps(answers if isinstance(request, list) else answers[0]).encode()


def test_answers_come_in_the_order_of_the_calls():
    with node(echo) as server, JsonRpc(server.url) as rpc:
        assert rpc.call("one", [1]) == [1]
        assert rpc.batch([("many", [index]) for index in range(250)]) == [[index] for index in range(250)]


def test_one_connection_is_kept_alive():
    with node(echo) as server, JsonRpc(server.url) as rpc:
        for index in range(5):
            rpc.call("one", [index])
        assert server.connections == 1
        assert rpc.requests == 5
        assert rpc.bytes_received > 0


def test_a_connection_the_node_has_closed_is_opened_again():
    with node(echo) as server, JsonRpc(server.url) as rpc:
        rpc.call("one", [1])
        assert rpc._connection is not None
        rpc._connection.sock.shutdown(socket.SHUT_RDWR)
        assert rpc.call("one", [2]) == [2]


def test_an_error_answer_names_the_method():
    def refuse(request: object) -> bytes:
        return json.dumps({"id": request["id"], "error": {"code": -32601, "message": "unknown"}}).encode()

    with (
        node(refuse) as server,
        JsonRpc(server.url) as rpc,
        pytest.raises(NodeAnswerError, match=r"eth_x: .*-32601.*unknown"),
    ):
        rpc.call("eth_x")


def test_settled_batches_keep_answers_beside_errors():
    def mixed(request: object) -> bytes:
        return json.dumps(
            [{"id": request[0]["id"], "result": "0x1"}, {"id": request[1]["id"], "error": {"code": 1}}]
        ).encode()

    with node(mixed) as server, JsonRpc(server.url) as rpc:
        good, bad = rpc.batch_settled([("a", []), ("b", [])])
        assert good == "0x1"
        assert isinstance(bad, NodeAnswerError)


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b"{}", b'{"id":77,"result":1}', b"null", b"HTTP 500 broken"],
)
def test_anything_else_is_a_bad_answer(body):
    with node(lambda _: body) as server, JsonRpc(server.url) as rpc, pytest.raises(NodeAnswerError):
        rpc.call("eth_x")


def test_a_batch_that_lacks_an_answer_is_bad():
    def lose(request: object) -> bytes:
        return json.dumps([{"id": request[0]["id"], "result": 1}]).encode()

    with node(lose) as server, JsonRpc(server.url) as rpc, pytest.raises(NodeAnswerError, match="no answer"):
        rpc.batch([("a", []), ("b", [])])


def test_a_silent_node_is_unreachable_after_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        rpc = JsonRpc(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.2)
        started = time.monotonic()
        with pytest.raises(NodeUnreachable, match=r"no answer within 0\.2 s"):
            rpc.call("eth_x")
        assert time.monotonic() - started < 2


def test_a_dripping_answer_does_not_stretch_the_deadline():
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: drip(listener.accept()[0]), daemon=True).start()
        rpc = JsonRpc(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.3)
        started = time.monotonic()
        with pytest.raises(NodeUnreachable):
            rpc.call("eth_x")
        assert time.monotonic() - started < 2


def test_an_answer_cut_short_is_unreachable():
    def cut(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"id"')
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: cut(listener.accept()[0]), daemon=True).start()
        with pytest.raises(NodeUnreachable, match="IncompleteRead"):
            JsonRpc(f"http://127.0.0.1:{listener.getsockname()[1]}").call("eth_x")


def test_nobody_listening_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NodeUnreachable, match=f"127.0.0.1:{port}"):
        JsonRpc(f"http://127.0.0.1:{port}").call("eth_x")


@pytest.mark.parametrize("url", ["ws://node", "node:8545", "", "http://"])
def test_an_endpoint_of_another_kind_is_refused(url):
    with pytest.raises(InputError):
        JsonRpc(url)


def test_secrets_in_an_endpoint_are_not_shown():
    rpc = JsonRpc("http://user:password@127.0.0.1:1/v3/project-key?token=x")
    with pytest.raises(NodeUnreachable) as caught:
        rpc.call("eth_x")
    assert not {"password", "project-key", "token"} & set(str(caught.value).replace("/", " ").split())
    assert "project-key" not in str(caught.value)
    assert "password" not in str(caught.value)
