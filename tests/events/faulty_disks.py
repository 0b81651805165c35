"""Disks that fail, crash or lose power at a chosen operation."""

import errno
import os
from pathlib import Path
from random import Random

from mev_dagster.events.disk import Disk


class Crash(BaseException):
    """The process is gone; nothing may handle this."""


class SwiftDisk(Disk):
    """Does not wait for the platter: a crash of the process, unlike one of the machine, cannot tell."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


class CountingDisk(SwiftDisk):
    """Counts operations, and at number `at` does `_fault`, having done a `share` of a write."""

    def __init__(self, at: int = -1, share: float = 0.0) -> None:
        self.operations = 0
        self._at = at
        self._share = share

    def _fault(self) -> None:
        raise NotImplementedError

    def _step(self) -> bool:
        self.operations += 1
        return self.operations - 1 == self._at

    def open(self, path: Path) -> int:
        if self._step():
            self._fault()
        return super().open(path)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        if self._step():
            super().write(descriptor, data[: int(len(data) * self._share)], offset)
            self._fault()
        super().write(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        if self._step():
            self._fault()
        super().sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        if self._step():
            self._fault()
        super().truncate(descriptor, size)

    def replace(self, path: Path, data: bytes) -> None:
        if self._step():
            temporary = path.with_name(f"{path.name}.tmp")
            temporary.write_bytes(data[: int(len(data) * self._share)])
            self._fault()
        super().replace(path, data)

    def remove(self, path: Path) -> None:
        if self._step():
            self._fault()
        super().remove(path)

    def sync_directory(self, path: Path) -> None:
        if self._step():
            self._fault()
        super().sync_directory(path)


class CrashingDisk(CountingDisk):
    """Ends the process at an operation."""

    def _fault(self) -> None:
        raise Crash


class FailingDisk(CountingDisk):
    """Refuses an operation, and everything after it if it is full."""

    def __init__(self, at: int = -1, share: float = 0.0, code: int = errno.EIO) -> None:
        super().__init__(at, share)
        self._code = code

    def _fault(self) -> None:
        raise OSError(self._code, os.strerror(self._code))


class PowerlessDisk(CrashingDisk):
    """Remembers what has been written and not synced, to lose some of it when the power goes.

    A sector reaches the disk whole or not at all; those of one file in any order. A file whose folder was not
    synced since it was made may be gone altogether.
    """

    SECTOR = 512

    def __init__(self, at: int, share: float, chance: Random) -> None:
        super().__init__(at, share)
        self._chance = chance
        self._unsynced: dict[str, bytes] = {}
        self._unnamed: list[Path] = []

    def open(self, path: Path) -> int:
        made = not path.exists()
        descriptor = super().open(path)
        if made:
            self._unnamed.append(path)
        return descriptor

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self._unnamed = [made for made in self._unnamed if made.parent != path]

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        self._unsynced.setdefault(path, Path(path).read_bytes())
        super().write(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._unsynced.pop(os.readlink(f"/proc/self/fd/{descriptor}"), None)

    def lose_power(self) -> None:
        for name, before in self._unsynced.items():
            path = Path(name)
            if not path.exists():
                continue
            after = path.read_bytes()
            sectors = range(0, max(len(before), len(after)), self.SECTOR)
            old = before.ljust(len(after), b"\0")
            content = b"".join(self._chance.choice((old, after))[at : at + self.SECTOR] for at in sectors)
            path.write_bytes(content[: self._chance.choice((len(before), len(after)))])
        for made in self._unnamed:
            if self._chance.choice((True, False)):
                made.unlink(missing_ok=True)
