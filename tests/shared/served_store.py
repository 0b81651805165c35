"""The store's own server as a process to kill and start again, and any store emptied."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from mev_dagster.settings import Settings
from mev_dagster.store.client import Store
from mev_dagster.store.endpoint import Advertisement, read_advertisement


class ServerProcess:
    """`mev store serve` on a free port, as a process that can be killed and started again."""

    def __init__(self, home: Path):
        self.settings = Settings(home=home)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ServerProcess":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mev_dagster", "store", "serve", "--port", str(self.port)],
            env=os.environ | {"MEV_HOME": str(self.settings.home)},
            stderr=subprocess.PIPE,
        )
        line = self._process.stderr.readline().decode() if self._process.stderr else ""
        assert "serving" in line, line
        self.port = int(self.advertised.url.rpartition(":")[2])
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
