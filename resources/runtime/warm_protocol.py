"""What is said to the warm worker over its socket, a conversation a connection.

{"run_id": ..., "lane": ..., "code": ...}   takes a run: answered, then confirmed
{"cancel": run_id}                          ends a run that waits or executes there
{"code": ...}                               what the code server has loaded; who has other code begins anew
PING                                        a sign of life, which only the worker's loop can give
"""

import json
import socket
from typing import Any

from mev_dagster.blockrun.run_tags import HOT

ANSWER_SECONDS = 2.0
MESSAGE_BYTES = 4096
CONFIRMATION = b"go\n"

REMOVED = "removed"
"""The run waited, and is not begun any more."""
INTERRUPTED = "interrupted"
"""Its process has been told to end, and will be made to."""
UNKNOWN = "unknown"


def offer(socket_path: str, run_id: str, lane: str = HOT, code: str = "") -> dict[str, Any] | None:
    """Offer a run to the warm worker; return its answer, None when it is absent or does not answer.

    The worker takes the run only when its answer is confirmed in time: whoever gave up waiting may then
    start the run elsewhere, and it never runs twice.
    """
    try:
        with _connected(socket_path) as connection:
            connection.sendall(json.dumps({"run_id": run_id, "lane": lane, "code": code}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.recv(MESSAGE_BYTES))
            if answer.get("accepted"):
                connection.sendall(CONFIRMATION)
            return answer
    except (OSError, ValueError):
        return None


def cancel(socket_path: str, run_id: str) -> str:
    """Tell the worker to end a run; return what it did, `UNKNOWN` where it has no such run or is absent."""
    return _asked(socket_path, {"cancel": run_id}) or UNKNOWN


def tell_code(socket_path: str, code: str) -> str:
    """Tell the worker what the code server has loaded; return what it makes of that."""
    return _asked(socket_path, {"code": code})


def _asked(socket_path: str, question: dict[str, str]) -> str:
    try:
        with _connected(socket_path) as connection:
            connection.sendall(json.dumps(question).encode() + b"\n")
            return connection.recv(MESSAGE_BYTES).decode()
    except (OSError, ValueError):
        return ""


def _connected(socket_path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(socket_path)
    except OSError:
        connection.close()
        raise
    return connection
