"""Where the store is: a ClickHouse server, the embedded server on this machine, or chDB in this process.

The embedded server writes `home/store.json` when it is ready and removes it when it stops. Whoever owns
the engine, server or not, holds the lock file `home/store.lock`, because only one process can open it.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3 import PoolManager

from mev_dagster.errors import InputError, StoreError, StoreUnreachable
from mev_dagster.settings import Settings
from mev_dagster.store.embedded import library
from mev_dagster.telemetry.retries import AskedAgain, Retry

REVIVAL_SECONDS = 10.0
_POLL_SECONDS = 0.1
_REVIVED = Retry("store_connect")
# Set once on the connection, because with each statement they would cost four more of them in process.
_CLIENT_SETTINGS = {
    "output_format_arrow_string_as_string": 0,  # a String may hold bytes; the store knows which holds text
    # A patch beside the parts instead of a mutation, which costs 0.1 s for every part of the table
    "lightweight_delete_mode": "lightweight_update",
    "max_partitions_per_insert_block": 0,  # an import spans years of days; the guard is for typos in keys
}


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What the embedded server says about itself."""

    url: str
    token: str
    pid: int


def advertisement_path(settings: Settings) -> Path:
    """Return where the embedded server of this home advertises itself."""
    return settings.home / "store.json"


def read_advertisement(settings: Settings) -> Advertisement | None:
    """Return the advertised server, or None when there is none."""
    path = advertisement_path(settings)
    try:
        fields = json.loads(path.read_text())
        return Advertisement(url=str(fields["url"]), token=str(fields["token"]), pid=int(fields["pid"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not an advertisement of the embedded store: {error}") from None


def write_advertisement(settings: Settings, advertisement: Advertisement) -> None:
    """Advertise a server, readable by this user only, at once and whole."""
    path = advertisement_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(advertisement), file)
    draft.replace(path)


class EngineLock:
    """The right to open the embedded engine of one home; the kernel frees it when the process dies."""

    _held: ClassVar[dict[Path, tuple[int, int]]] = {}  # one process may open the engine several times

    def __init__(self, settings: Settings):
        self.path = (settings.home / "store.lock").resolve()

    def acquire(self) -> bool:
        """Take the lock if nobody else has it."""
        if self.path in self._held:
            descriptor, count = self._held[self.path]
            self._held[self.path] = (descriptor, count + 1)
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._held[self.path] = (descriptor, 1)
        return True

    def release(self) -> None:
        """Give the lock back."""
        descriptor, count = self._held[self.path]
        if count > 1:
            self._held[self.path] = (descriptor, count - 1)
            return
        del self._held[self.path]
        os.close(descriptor)

    def owner(self) -> str:
        """Say who holds the lock."""
        try:
            return f"process {self.path.read_text().strip() or 'unknown'}"
        except OSError:
            return "another process"


def connect(
    settings: Settings, *, in_process: bool, clock: Callable[[], float] = time.monotonic
) -> tuple[Client, Callable[[], None] | None]:
    """Return a clickhouse-connect client for these settings, and what to call after closing it."""
    if settings.store.url is not None:
        return connect_server(settings), None
    deadline = clock() + REVIVAL_SECONDS
    lock = EngineLock(settings)

    def opened() -> tuple[Client, Callable[[], None] | None]:
        advertised = read_advertisement(settings)
        if advertised is not None:
            client = _connect_advertised(advertised)
            if client is not None:
                return client, None
        late = clock() >= deadline
        # An advertisement that nobody answers for is a server that crashed: its supervisor gets some time
        # to start it again before this process takes the engine away from it.
        if in_process and (advertised is None or late) and lock.acquire():
            advertisement_path(settings).unlink(
                missing_ok=True
            )  # whoever wrote it is gone: the lock was free
            try:
                return connect_in_process(settings), lock.release
            except BaseException:
                lock.release()
                raise
        if not late:
            raise AskedAgain("store_unreachable", _POLL_SECONDS)
        if not in_process:
            raise StoreUnreachable(
                f"no embedded store server answers in {settings.home}; start one: mev store serve"
            )
        raise StoreError(f"{settings.store_dir} is in use by {lock.owner()}; share it: mev store serve")

    return _REVIVED.sync(clock=clock)(opened)


def connect_server(settings: Settings) -> Client:
    """Connect to the ClickHouse server of `store_url`."""
    parts = urlsplit(settings.store.url or "")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(f"MEV_STORE_URL: expected http(s)://host[:port], found {settings.store.url!r}")
    return _http_client(
        parts.scheme,
        parts.hostname,
        parts.port or (8443 if parts.scheme == "https" else 8123),
        parts.username or settings.store.user,
        parts.password or settings.store.password.get_secret_value(),
    )


def _connect_advertised(advertised: Advertisement) -> Client | None:
    """Return a client of the embedded server, or None when nobody answers for it.

    A pool of its own keeps connections to loopback from being sent through the proxy of the environment.
    """
    parts = urlsplit(advertised.url)
    pool = get_pool_manager(maxsize=16)
    try:
        host, port = parts.hostname or "", parts.port or 0
        return _http_client("http", host, port, "default", advertised.token, pool=pool)
    except StoreUnreachable:
        return None
    except StoreError:
        if _alive(advertised.pid):
            raise
        return None  # the server is gone and something else listens where it was


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _http_client(
    scheme: str, host: str, port: int, user: str, password: str, *, pool: PoolManager | None = None
) -> Client:
    try:
        return clickhouse_connect.get_client(
            interface=scheme,
            host=host,
            port=port,
            username=user,
            password=password,
            autogenerate_session_id=False,  # a session admits one query at a time; ours are shared by threads
            settings=_CLIENT_SETTINGS,
            pool_mgr=pool,
        )
    except OperationalError as error:
        raise StoreUnreachable(f"no store answers at {scheme}://{host}:{port}") from error
    except ClickHouseError as error:
        raise StoreError(" ".join(str(error).split())) from error


def connect_in_process(settings: Settings) -> Client:
    """Open chDB inside this process; it must own the engine lock."""
    settings.store_dir.mkdir(parents=True, exist_ok=True)
    library.load()
    try:
        return clickhouse_connect.get_client(
            interface="chdb", path=str(settings.store_dir.resolve()), settings=_CLIENT_SETTINGS
        )
    except ClickHouseError as error:
        raise StoreError(f"{settings.store_dir}: {' '.join(str(error).split())}") from error
