"""Prestates and codes on disk under their own digests: `prestate/<sha256>.json.zst`, `code/<keccak>`.

A name is the content's digest, so writing twice is writing once, and what is read is checked. A code is
stored once however many prestates need it.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import zstandard

from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import CaptureError, InputError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.units import GIB

_SUFFIX = ".json.zst"
_LEVEL = 10
_MAX_BYTES = GIB


class PrestateStore:
    """A folder of prestates; several processes may write to it at once."""

    def __init__(self, folder: Path) -> None:
        self._prestates = folder / "prestate"
        self._codes = folder / "code"

    def put(self, prestate: Prestate) -> bytes:
        """Store a prestate with its codes and return its digest."""
        digest = prestate.digest()
        for code_hash, code in prestate.codes.items():
            _write_once(self._codes / code_hash.hex(), code)
        compressed = zstandard.ZstdCompressor(level=_LEVEL).compress(prestate.canonical())
        _write_once(self._prestates / (digest.hex() + _SUFFIX), compressed)
        return digest

    def get(self, digest: bytes) -> Prestate:
        """Return the prestate with this digest; an altered file is refused."""
        path = self._prestates / (digest.hex() + _SUFFIX)
        try:
            with path.open("rb") as stream:
                raw = zstandard.ZstdDecompressor().stream_reader(stream).read(_MAX_BYTES)
            prestate = Prestate.from_json(json.loads(raw), _StoredCodes(self._codes))
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such prestate") from error
        except (zstandard.ZstdError, ValueError, InputError) as error:
            raise CaptureError(f"{path}: truncated or altered: {error}") from error
        if prestate.digest() != digest:
            raise CaptureError(f"{path}: altered: its content has the digest {prestate.digest().hex()}")
        return prestate

    def prune(self, before_ns: int, *, dry_run: bool = False) -> list[Path]:
        """Remove the prestates stored last before a time, and the codes that none of the others needs.

        Storing a prestate anew makes it and its codes young, and a code goes only when it is old itself, so
        one that a prestate about to be written relies on stays.
        """
        old: list[Path] = []
        kept: list[Path] = []
        for path in sorted(self._prestates.glob("*")):
            (old if path.stat().st_mtime_ns < before_ns else kept).append(path)
        needed = {
            account.code_hash.hex()
            for path in kept
            if path.name.endswith(_SUFFIX)
            for account in self.get(bytes.fromhex(path.name.removesuffix(_SUFFIX))).accounts.values()
        }
        old += [
            path
            for path in sorted(self._codes.glob("*"))
            if path.name not in needed and path.stat().st_mtime_ns < before_ns
        ]
        if not dry_run:
            for path in old:
                path.unlink(missing_ok=True)
        return old

    def digests(self) -> list[bytes]:
        """Return the digests of every stored prestate, in order."""
        names = (path.name.removesuffix(_SUFFIX) for path in self._prestates.glob("*" + _SUFFIX))
        return sorted(bytes.fromhex(name) for name in names)


class _StoredCodes(Mapping[bytes, bytes]):
    """Codes read from their files when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, code_hash: bytes) -> bytes:
        try:
            code = (self._folder / code_hash.hex()).read_bytes()
        except FileNotFoundError:
            raise KeyError(code_hash) from None
        if keccak(code) != code_hash:
            raise CaptureError(f"{self._folder / code_hash.hex()}: altered: it does not have its own hash")
        return code

    def __iter__(self) -> Iterator[bytes]:
        return (bytes.fromhex(path.name) for path in self._folder.iterdir())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _write_once(path: Path, content: bytes) -> None:
    """Write a file that is either whole or not there; one that is there becomes young again."""
    if path.exists():
        path.touch()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with half.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
