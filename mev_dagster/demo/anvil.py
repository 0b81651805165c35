"""A real anvil node as a child process: found, started on a free port, stopped again."""

import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from mev_dagster.errors import InputError, NodeUnreachable
from mev_dagster.units import MIB

START_SECONDS = 20.0
LISTENING = re.compile(rb"Listening on ([0-9.]+):([0-9]+)")
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def find_anvil(root: Path | None = None) -> Path:
    """Return the anvil binary: from `node_modules` at or above `root` (default: here), else from PATH."""
    system = {"Darwin": "darwin", "Windows": "win32"}.get(platform.system(), "linux")
    architecture = ARCHITECTURES.get(platform.machine().lower(), platform.machine())
    start = (root or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        binary = folder / "node_modules" / "@foundry-rs" / f"anvil-{system}-{architecture}" / "bin" / "anvil"
        if binary.exists():
            return binary
    on_path = shutil.which("anvil")
    if on_path is None:
        raise InputError("anvil was not found; install Node.js and run `make setup`, which runs `npm ci`")
    return Path(on_path)


class AnvilNode:
    """One anvil process on a loopback port of its own choosing; use as a context manager."""

    def __init__(self, *arguments: str, binary: Path | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process that writes it
        self._process = subprocess.Popen(
            [str(binary or find_anvil()), "--host", "127.0.0.1", "--port", "0", *arguments],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            self.address = self._wait_until_listening()
        except BaseException:
            self.close()
            raise

    @property
    def http_url(self) -> str:
        """JSON-RPC over HTTP."""
        return f"http://{self.address}"

    @property
    def ws_url(self) -> str:
        """JSON-RPC over WebSocket; anvil serves both on one port."""
        return f"ws://{self.address}"

    @property
    def pid(self) -> int:
        """Process id, so that a drill can kill exactly this node."""
        return self._process.pid

    def close(self) -> None:
        """Stop the process and wait until it is gone."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    def __enter__(self) -> "AnvilNode":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until_listening(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            exited = self._process.poll()
            # pread: the child writes through the same file offset, which a seek here would move.
            written = os.pread(self._log.fileno(), MIB, 0)
            if found := LISTENING.search(written):
                return f"{found[1].decode()}:{found[2].decode()}"
            if exited is not None:
                last = written.decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
                raise NodeUnreachable(f"anvil ended with status {exited}: {last[0]}")
            time.sleep(0.02)
        raise NodeUnreachable(f"anvil did not listen within {START_SECONDS:.0f} s")
