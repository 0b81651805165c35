"""An edited definition comes with Reload, and the warm worker begins anew with it; no run mixes two codes."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dagster._grpc.client import DagsterGrpcClient

from mev_dagster.blockrun import source_code
from mev_dagster.blockrun.source_code import CODE_TAG
from mev_dagster.platform.dagster_home import prepare
from mev_dagster.settings import Settings
from resources.runtime.warm_protocol import offer, tell_code

ROOT = Path(source_code.__file__).resolve().parents[2]
DEADLINE_SECONDS = 240


def until(what: str, holds: Callable[[], object]):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.2)
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the packages, which may be edited."""
    for package in source_code.PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def environment(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    dagster_home = prepare(Settings(home=home))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEV_")}
    return {**kept, "PYTHONPATH": str(copy), "MEV_HOME": str(home), "DAGSTER_HOME": str(dagster_home)}


@pytest.fixture
def started(copy: Path, environment: dict[str, str]):
    """Yield a function that starts a process in the copy."""
    children = []

    def start(*argv: str) -> None:
        children.append(subprocess.Popen(argv, cwd=copy, env=environment))

    yield start
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def repository(client: DagsterGrpcClient):
    """Return what the code server tells of its definitions, None while it does not."""
    from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
    from dagster._serdes import deserialize_value

    try:
        client.ping("")
        origin = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=client.port, location_name="mev_dagster")
        asked = RemoteRepositoryOrigin(origin, "__repository__")
        return deserialize_value(client.external_repository(asked, defer_snapshots=True))
    except Exception:
        return None


def test_an_edit_comes_with_reload_and_the_worker_follows(copy: Path, environment, started):
    port, path = free_port(), str(copy / "worker.sock")
    script = str(Path(sys.executable).parent / "dagster")
    started(script, "code-server", "start", "-m", "mev_dagster.definitions", "-h", "127.0.0.1", "-p",
            str(port), "--location-name", "mev_dagster")  # fmt: skip
    started(sys.executable, "-m", "resources.runtime.warm_worker", path, "mev_dagster.definitions")
    client = DagsterGrpcClient(port=port, host="127.0.0.1")
    before = until("the code server", lambda: repository(client))
    code = str(before.metadata[CODE_TAG].value)
    until("the worker", lambda: tell_code(path, code) == code)
    worker = until("the worker's answer", lambda: offer(path, "nobody's", "cold", code))
    assert worker["accepted"]

    file = copy / "assets" / "search.py"
    file.write_text(file.read_text().replace("Ranked sandwich", "EDITED: ranked sandwich"))
    assert str(repository(client).metadata[CODE_TAG].value) == code  # nothing changes by itself
    client.reload_code(timeout=120)
    after = until("the reload", lambda: repository(client))
    new_code = str(after.metadata[CODE_TAG].value)
    assert new_code != code

    def of(repo, name: str):
        (node,) = [one for one in repo.asset_nodes if one.asset_key.path[-1] == name]
        return node

    assert of(after, "opportunities").description.startswith("EDITED")
    assert of(after, "opportunities").code_version != of(before, "opportunities").code_version
    assert of(after, "mev_labels").code_version == of(before, "mev_labels").code_version

    refused = offer(path, "another", "cold", new_code)
    assert refused is not None
    assert not refused["accepted"]
    until("the worker to begin anew", lambda: tell_code(path, new_code) == new_code)
    assert offer(path, "a third", "cold", new_code)["accepted"]
    assert not offer(path, "of before", "cold", code)["accepted"]
