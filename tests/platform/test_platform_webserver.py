"""A web server or daemon that answers nonsense, or breaks off, is an error of ours that says who."""

import socket
import threading

import pytest

from mev_dagster.errors import DaemonUnreachable, NodeAnswerError, PlatformUnreachable
from mev_dagster.ingest.daemon_client import tell
from mev_dagster.platform.health import http_ok
from mev_dagster.platform.webserver import Webserver
from mev_dagster.settings import Settings


@pytest.fixture
def answering():
    """Yield a function that starts a server which sends these bytes to each caller, and hangs up."""
    listeners = []

    def start(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"
NOTHING = b""
NO_HTTP = b"not http\r\n\r\n"
NO_JSON = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\noops"


@pytest.mark.parametrize("answer", [CUT, NOTHING, NO_HTTP])
def test_a_caller_that_is_hung_up_on_says_who_did(answering, answer, tmp_path):
    port = answering(answer)
    config = Settings(home=tmp_path, dagster={"webserver_port": port}, ingest={"port": port})
    with pytest.raises(PlatformUnreachable, match=str(port)):
        Webserver(config).ask("{version}")
    with pytest.raises(DaemonUnreachable, match=str(port)):
        tell(config, "/log/seal", {})


def test_an_answer_that_is_no_json_is_no_answer(answering, tmp_path):
    port = answering(NO_JSON)
    config = Settings(home=tmp_path, dagster={"webserver_port": port}, ingest={"port": port})
    with pytest.raises(NodeAnswerError, match="not JSON"):
        Webserver(config).ask("{version}")
    with pytest.raises(NodeAnswerError):
        tell(config, "/log/seal", {})


@pytest.mark.parametrize("answer", [NOTHING, NO_HTTP])
def test_a_process_that_hangs_up_is_not_healthy(answering, answer):
    assert not http_ok(f"http://127.0.0.1:{answering(answer)}/ping").healthy
