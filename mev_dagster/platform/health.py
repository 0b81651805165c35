"""Health probes over loopback HTTP."""

import socket
import urllib.error
import urllib.request

import msgspec

TIMEOUT_SECONDS = 3.0
DAEMON_QUERY = b'{"query":"{instance{daemonHealth{allDaemonStatuses{daemonType required healthy}}}}"}'


class StoppedStages(msgspec.Struct):
    """Stages that stand still since a block, and why."""

    stages: list[str]
    since_block: int
    code: str
    why: str

    def sentence(self) -> str:
        """Return it as a person reads it."""
        return f"{', '.join(self.stages)} stopped at block {self.since_block:,}: {self.why}"


class _Health(msgspec.Struct):
    stopped: list[StoppedStages] = []


def http_ok(url: str) -> tuple[bool, str]:
    """GET `url`; healthy when it answers 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own http url
            return 200 <= answer.status < 300, ""
    except (OSError, urllib.error.URLError) as error:
        return False, str(error)


def stopped_stages(url: str) -> list[StoppedStages]:
    """Ask the ingest daemon which stages behind it stand still; one that does not answer names none."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own http url
            return msgspec.json.decode(answer.read(), type=_Health).stopped
    except (OSError, urllib.error.URLError, msgspec.DecodeError):
        return []


def daemon_health(graphql_url: str) -> tuple[bool, str]:
    """Ask the web server whether each daemon it requires has a fresh heartbeat."""
    request = urllib.request.Request(graphql_url, DAEMON_QUERY, {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            body = msgspec.json.decode(answer.read())
        states = body["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    except (OSError, urllib.error.URLError, msgspec.DecodeError, KeyError, TypeError) as error:
        return False, f"the web server does not say: {error}"
    unwell = sorted(state["daemonType"] for state in states if state["required"] and not state["healthy"])
    return not unwell, f"no heartbeat from {', '.join(unwell)}" if unwell else ""


def listens(address: str) -> tuple[bool, str]:
    """Connect to `tcp://host:port` or `unix://path`; healthy when something accepts."""
    scheme, _, where = address.partition("://")
    family = socket.AF_UNIX if scheme == "unix" else socket.AF_INET
    host, _, port = where.rpartition(":")
    target = where if scheme == "unix" else (host, int(port))
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(target)
    except OSError as error:
        return False, str(error)
    return True, ""
