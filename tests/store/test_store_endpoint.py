"""Which store a process gets, and that two never own one engine."""

import fcntl
import http.server
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from served_store import ServerProcess
from store_rows import sightings

from mev_dagster.errors import InputError, PortInUse, StoreError, StoreUnreachable
from mev_dagster.serving.listen import bind
from mev_dagster.settings import Settings
from mev_dagster.store import endpoint
from mev_dagster.store.client import Store, open_store
from mev_dagster.store.endpoint import Advertisement, EngineLock, write_advertisement


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "REVIVAL_SECONDS", 0.3)


def test_a_live_server_is_found_through_its_advertisement(server: ServerProcess):
    with open_store(server.settings) as store:
        assert store.url == server.advertised.url
        assert store.count("blocks") >= 0


def test_the_proxy_of_the_environment_is_not_asked(server: ServerProcess, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with open_store(server.settings) as store:
        assert store.ping()


def test_processes_share_the_embedded_store_through_its_server(server: ServerProcess):
    with open_store(server.settings) as store:
        store.insert("tx_sightings", sightings(3, window=77))
        found = subprocess.run(
            [sys.executable, "-m", "mev_dagster", "store", "query", "--json",
             "SELECT count() AS n FROM tx_sightings WHERE window_number = 77"],
            env=os.environ | {"MEV_HOME": str(server.settings.home)},
            capture_output=True, check=True,
        )  # fmt: skip
        assert json.loads(found.stdout) == {"columns": ["n"], "rows": [[3]]}
        store.delete("tx_sightings", {"window_number": 77})


def test_only_this_user_can_read_the_token(server: ServerProcess):
    for name in ("store.json", "store.token"):
        assert stat.S_IMODE((server.settings.home / name).stat().st_mode) == 0o600


def test_a_client_outlives_a_restart_of_the_server(own_server: ServerProcess):
    with open_store(own_server.settings) as store:
        store.insert("tx_sightings", sightings(3))
        own_server.kill()
        with pytest.raises(StoreUnreachable):
            store.count("tx_sightings")
        own_server.start()
        assert store.count("tx_sightings") == 3
    assert own_server.stop() == 0
    assert not (own_server.settings.home / "store.json").exists()


def test_a_second_server_is_told_who_owns_the_engine_or_the_port(server: ServerProcess, tmp_path: Path):
    def serve(home: Path, port: int) -> str:
        command = [sys.executable, "-m", "mev_dagster", "store", "serve", "--port", str(port)]
        run = subprocess.run(
            command, env=os.environ | {"MEV_HOME": str(home)}, capture_output=True, text=True, check=False
        )
        return f"{run.returncode} {run.stderr}"

    same_home = serve(server.settings.home, 0)
    assert same_home.startswith("1 mev: store_error: ")
    assert f"is in use by process {server.advertised.pid}" in same_home
    same_port = serve(tmp_path, server.port)
    assert same_port.startswith(f"2 mev: port_in_use: store: 127.0.0.1:{server.port}: ")


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortInUse, match="MEV_STORE_PORT"):
        bind("store", "127.0.0.1", taken.getsockname()[1], "MEV_STORE_PORT")


def test_an_engine_that_another_process_owns_is_not_opened(tmp_path: Path):
    settings = Settings(home=tmp_path)
    with (tmp_path / "store.lock").open("w") as file:
        file.write("4711")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="is in use by process 4711; share it: mev store serve"):
            open_store(settings)


def test_a_service_waits_for_the_server_and_never_owns_the_engine(tmp_path: Path):
    with pytest.raises(StoreUnreachable, match="mev store serve"):
        open_store(Settings(home=tmp_path), in_process=False)
    assert not (tmp_path / "store").exists()


def test_a_crashed_servers_advertisement_is_given_time_and_then_ignored(tmp_path: Path):
    settings = Settings(home=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    write_advertisement(settings, Advertisement(f"http://127.0.0.1:{port}", "token", 1))
    with pytest.raises(StoreUnreachable):
        open_store(settings, in_process=False)


def test_a_stranger_on_a_dead_servers_port_is_not_taken_for_the_store(tmp_path: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        settings = Settings(home=tmp_path)
        url = f"http://127.0.0.1:{stranger.server_port}"
        write_advertisement(settings, Advertisement(url, "token", ended.pid))
        with pytest.raises(StoreUnreachable, match="no embedded store server answers"):
            open_store(settings, in_process=False)
        stranger.shutdown()


def test_a_damaged_advertisement_is_named(tmp_path: Path):
    (tmp_path / "store.json").write_text('{"url": 1')
    with pytest.raises(InputError, match=r"store\.json: not an advertisement"):
        open_store(Settings(home=tmp_path))


@pytest.mark.parametrize("url", ["localhost:8123", "tcp://h:9000", "http://", "http://h:abc", "http://a b"])
def test_a_url_that_names_no_server_is_refused(url: str):
    with pytest.raises(InputError, match=r"store\.url: expected http"):
        open_store(Settings(store={"url": url}))


def test_an_unreachable_server_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StoreUnreachable, match=f"no store answers at http://127.0.0.1:{port}"):
        open_store(Settings(store={"url": f"http://127.0.0.1:{port}"}))


def test_one_process_may_open_its_engine_more_than_once(local_store: Store):
    lock = EngineLock(local_store.settings)
    with open_store(local_store.settings) as again:
        again.insert("tx_sightings", sightings(2))
        assert local_store.count("tx_sightings") == 2
    assert lock.acquire()
    lock.release()
    assert local_store.count("tx_sightings") == 2
