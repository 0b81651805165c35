"""The store's own server as a process to kill and start again, and any store emptied."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from mev_dagster.settings import Settings
from mev_dagster.store.client import Store
from mev_dagster.store.endpoint import Advertisement, read_advertisement

START_SECONDS = 60


class ServerProcess:
    """`mev store serve` on a free port, as a process that can be killed and started again."""

    def __init__(self, home: Path):
        self.settings = Settings(home=home)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ServerProcess":
        """Start it, and wait until it advertises itself, whatever the engine prints on its way."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        with (self.settings.home / "store.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mev_dagster", "store", "serve", "--port", str(self.port)],
                env=os.environ | {"MEV_HOME": str(self.settings.home)},
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while (found := read_advertisement(self.settings)) is None or found.pid != self._process.pid:
            assert self._process.poll() is None, (self.settings.home / "store.log").read_text()
            assert time.monotonic() < deadline, f"the store does not serve after {START_SECONDS} s"
            time.sleep(0.02)
        self.port = int(found.url.rpartition(":")[2])
        return self

    @property
    def advertised(self) -> Advertisement:
        found = read_advertisement(self.settings)
        assert found is not None
        return found

    def client(self, **options: object) -> Client:
        return clickhouse_connect.get_client(
            host="127.0.0.1",
            port=self.port,
            **({"username": "default", "password": self.advertised.token} | options),
        )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(30)
        self._process = None
        return status


def emptied(store: Store) -> Store:
    for (name,) in store.rows(
        "SELECT name FROM system.tables WHERE database = {db:String} AND total_rows > 0"
        " AND name != 'schema_migrations'",
        {"db": store.database},
    ):
        store.command(f"TRUNCATE TABLE {name}")
    return store
