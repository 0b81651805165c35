"""Dagster's records in Postgres: a real server, the instance as `mev up` makes it, runs, retention."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from mev_dagster.errors import InputError
from mev_dagster.platform.dagster_home import prepare
from mev_dagster.settings import Settings, settings
from resources.runtime.instance_sweep import sweep_dagster

PASSWORD = "p@ss/word"
START_SECONDS = 60


def binaries() -> Path | None:
    """Return where Postgres' programs are: Debian keeps them out of the PATH, a folder a version."""
    folders = {path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")}
    on_path = shutil.which("initdb")
    if folders:
        return max(folders, key=lambda folder: int(folder.parent.name))
    return Path(on_path).parent if on_path else None


def unprivileged() -> dict[str, object]:
    """Return how to start a process that is not root, which Postgres refuses to run as."""
    return {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}


@pytest.fixture
def server() -> Iterator[str]:
    """Yield the URL of a Postgres of our own, on a free port, without a wait for the disk."""
    found = binaries()
    if found is None:
        pytest.skip("no Postgres server here: apt install postgresql")
    # Not pytest's folder: only its owner may pass through that one.
    folder = Path(tempfile.mkdtemp(prefix="mev-postgres-"))
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "password").write_text(PASSWORD)
    data, environment = folder / "data", {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    if unprivileged():
        for path in (folder, folder / "password"):
            shutil.chown(path, "nobody", "nogroup")
    subprocess.run(
        [found / "initdb", "-D", data, "-U", "mev", "-A", "scram-sha-256", "--no-sync",
         f"--pwfile={folder / 'password'}"],
        check=True, capture_output=True, cwd=folder, env=environment, **unprivileged(),
    )  # fmt: skip
    process = subprocess.Popen(
        [found / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1",
         "-c", "fsync=off"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env=environment, **unprivileged(),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        ready = [found / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False, capture_output=True, env=environment).returncode:
            assert process.poll() is None, "Postgres ended"
            assert time.monotonic() < deadline, "Postgres did not start"
            time.sleep(0.1)
        yield f"postgresql://mev:p%40ss%2Fword@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


@pytest.fixture
def home(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MEV_HOME", str(tmp_path))
    monkeypatch.setenv("MEV_DAGSTER_POSTGRES_URL", server)
    settings.cache_clear()
    yield prepare(settings())
    settings.cache_clear()


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


@dg.asset(
    partitions_def=dg.DynamicPartitionsDefinition(name="blocks"),
    check_specs=[dg.AssetCheckSpec("sound", asset="checked")],
)
def checked() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="sound", passed=True)])


def test_a_run_is_recorded_and_retention_takes_all_of_it(instance, monkeypatch):
    assert "Postgres" in type(instance.event_log_storage).__name__
    instance.add_dynamic_partitions("blocks", ["7", "8"])
    result = dg.materialize([checked], instance=instance, partition_key="7")
    assert result.success
    assert instance.get_materialized_partitions(checked.key) == {"7"}
    monkeypatch.setenv("MEV_RETENTION_DAYS_RUNS", "-1")
    monkeypatch.setenv("MEV_BLOCKS_KEPT", "1")
    settings.cache_clear()
    listed = {one.place: one.count for one in sweep_dagster(instance, dry_run=True)}
    assert listed == {"runs": 1, "checks": 1, "backfills": 0, "ticks": 0, "keys": 1}
    assert {one.place: one.count for one in sweep_dagster(instance, dry_run=False)} == listed
    assert instance.get_run_by_id(result.run_id) is None
    assert instance.get_materialized_partitions(checked.key) == set()
    assert list(instance.get_dynamic_partitions("blocks")) == ["8"]


def test_events_reach_who_watches_a_run(instance):
    """The web server listens by NOTIFY, which one of the drivers cannot send."""
    heard = []
    run = instance.create_run_for_job(
        dg.Definitions(assets=[checked]).resolve_implicit_global_asset_job_def()
    )
    instance.watch_event_logs(run.run_id, None, lambda event, cursor: heard.append(event.message))
    instance.report_engine_event("under way", run)
    deadline = time.monotonic() + START_SECONDS
    while "under way" not in heard and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "under way" in heard
    instance.delete_run(run.run_id)


def test_the_password_is_nobody_elses_to_read(home):
    assert (home / "dagster.yaml").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["mysql://a:secret@b/c", "postgresql://host/db", "postgresql://a:secret@b"])
def test_a_url_that_is_none_is_refused_without_its_password(tmp_path, url):
    with pytest.raises(InputError, match="MEV_DAGSTER_POSTGRES_URL: expected") as refused:
        prepare(Settings(home=tmp_path, dagster={"postgres_url": url}))
    assert "secret" not in str(refused.value)
