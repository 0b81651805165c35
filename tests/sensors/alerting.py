"""Real Prometheus and Alertmanager beside a real daemon, each on a free port; and servers that misbehave."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from capture_home import free_port

DEADLINE_SECONDS = 60


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.1)
    return value


def answer(url: str) -> bytes | None:
    """Return what a server answers, None while it does not."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return None


def binary(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: install Debian's package {package}")
    return found


@contextmanager
def running(command: list[str], ready: str, log: Path, **environment: str) -> Iterator[None]:
    """Run a program until the block ends; it is ready when the address answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: answer(ready) is not None or process.poll() is not None, f"{command[0]} at {ready}")
        assert process.poll() is None, log.read_text()[-2000:]
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def daemon(home: Path, capture: Path) -> Iterator[str]:
    """Run the ingest daemon over a capture; yield its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mev_dagster", "ingest", "--lanes", "capture", "--speed", "max"]
    command += ["--capture", str(capture), "--port", str(port)]
    with running(command, f"{url}/healthz", home / "ingest.log"):
        yield url


@contextmanager
def prometheus(folder: Path, labels: dict[str, str], alertmanager: str | None = None) -> Iterator[str]:
    """Run Prometheus with one rule that always fires with these labels; yield its address."""
    program = binary("prometheus", "prometheus")
    rule = {"alert": "BlocksNotSearched", "expr": "vector(1)", "labels": labels}
    rule["annotations"] = {"summary": "a block was late"}
    rules, config = folder / "rules.yml", folder / "prometheus.yml"
    rules.write_text(json.dumps({"groups": [{"name": "test", "rules": [rule]}]}))  # JSON is YAML
    managers = (
        [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}] if alertmanager else []
    )
    config.write_text(
        json.dumps({
            "global": {"evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "alerting": {"alertmanagers": managers},
        })
    )  # fmt: skip
    address = f"127.0.0.1:{free_port()}"
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    # What fires before Prometheus has found its Alertmanager is sent again only after this.
    command.append("--rules.alert.resend-delay=1s")
    with running(
        [*command, f"--web.listen-address={address}"],
        f"http://{address}/-/ready",
        folder / "prometheus.log",
    ):
        yield f"http://{address}"


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """Run Alertmanager that posts every alert to a webhook; yield its address."""
    program = binary("prometheus-alertmanager", "prometheus-alertmanager")
    config = folder / "alertmanager.yml"
    route = {"receiver": "mev", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
    config.write_text(
        json.dumps({"route": route, "receivers": [{"name": "mev", "webhook_configs": [{"url": webhook}]}]})
    )
    address = f"127.0.0.1:{free_port()}"
    command = [program, f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}"]
    command += [f"--web.listen-address={address}", "--cluster.listen-address="]
    with running(command, f"http://{address}/-/ready", folder / "alertmanager.log"):
        yield f"http://{address}"


@contextmanager
def server_that_answers(body: bytes, status: int = 200) -> Iterator[str]:
    """Run a server that gives one answer to everything, to inject a fault."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
