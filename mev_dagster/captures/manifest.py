"""`capture.json`: what a capture holds, how its arrival times came about, and the digest of each part."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import CaptureError
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.units import MIB

MANIFEST = "capture.json"
FORMAT_VERSION = 1
_MAX_MANIFEST_BYTES = 16 * MIB


class ArrivalTimes(StrEnum):
    """Whether the arrival times were seen, or made up by a stated rule."""

    OBSERVED = "observed"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class CapturePart:
    """One file of a capture."""

    name: str
    sha256: str
    bytes: int
    records: int


@dataclass(frozen=True, slots=True)
class SearcherInfo:
    """The searcher whose executor contract the capture's state already holds.

    A capture holds no key: `key_phrase` is the public phrase whose keccak is the TEST-ONLY key.
    """

    key_phrase: str
    address: bytes
    executor: bytes
    weth: bytes

    @property
    def private_key(self) -> bytes:
        """Return the key that everybody can derive."""
        return keccak(self.key_phrase.encode())


@dataclass(frozen=True, slots=True)
class CaptureManifest:
    """The table of contents. `contracts` names addresses that a scenario wants known."""

    chain_id: int
    arrival_times: ArrivalTimes
    recorded_with: str
    synthetic_rule: str | None = None
    searcher: SearcherInfo | None = None
    contracts: Mapping[str, bytes] = field(default_factory=dict)
    first_block: int | None = None
    last_block: int | None = None
    block_count: int = 0
    parts: tuple[CapturePart, ...] = ()

    def encode(self) -> bytes:
        """Return the file's bytes: sorted keys, one way to write each value."""
        document = {
            "format_version": FORMAT_VERSION,
            "chain_id": self.chain_id,
            "blocks": {"first": self.first_block, "last": self.last_block, "count": self.block_count},
            "parts": [
                {"name": p.name, "sha256": p.sha256, "bytes": p.bytes, "records": p.records}
                for p in self.parts
            ],
            "arrival_times": str(self.arrival_times),
            "synthetic_rule": self.synthetic_rule,
            "recorded_with": self.recorded_with,
            "searcher": self.searcher and _searcher_to_json(self.searcher),
            "contracts": {name: to_hex(address) for name, address in self.contracts.items()},
        }
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


class _Blocks(msgspec.Struct, forbid_unknown_fields=True):
    first: int | None
    last: int | None
    count: int


class _CaptureManifestFile(msgspec.Struct, forbid_unknown_fields=True):
    format_version: int
    chain_id: int
    blocks: _Blocks
    parts: tuple[CapturePart, ...]
    arrival_times: ArrivalTimes
    synthetic_rule: str | None
    recorded_with: str
    searcher: dict[str, str] | None
    contracts: dict[str, str]


class _Version(msgspec.Struct):
    format_version: int = 0


def read_capture_manifest(directory: Path) -> CaptureManifest:
    """Return the manifest of the capture in `directory`."""
    path = directory / MANIFEST
    try:
        size = path.stat().st_size
        if size > _MAX_MANIFEST_BYTES:
            raise CaptureError(f"{path}: {size} bytes, the limit is {_MAX_MANIFEST_BYTES}")
        return decode_capture_manifest(path.read_bytes())
    except FileNotFoundError:
        raise CaptureError(f"{directory}: no capture here: {MANIFEST} is missing") from None
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}") from error


def decode_capture_manifest(data: bytes) -> CaptureManifest:
    """Return the manifest of these bytes."""
    try:
        version = msgspec.json.decode(data, type=_Version).format_version
        if version != FORMAT_VERSION:
            raise CaptureError(f"{MANIFEST}: format version {version}, this program reads {FORMAT_VERSION}")
        file = msgspec.json.decode(data, type=_CaptureManifestFile)
        return CaptureManifest(
            chain_id=file.chain_id,
            arrival_times=file.arrival_times,
            recorded_with=file.recorded_with,
            synthetic_rule=file.synthetic_rule,
            searcher=_searcher_from_json(file.searcher) if file.searcher else None,
            contracts={name: from_hex(text, 20) for name, text in file.contracts.items()},
            first_block=file.blocks.first,
            last_block=file.blocks.last,
            block_count=file.blocks.count,
            parts=file.parts,
        )
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, KeyError, RecursionError) as error:
        raise CaptureError(f"{MANIFEST}: {error}") from error


def _searcher_to_json(searcher: SearcherInfo) -> dict[str, Any]:
    return {
        "key_phrase": searcher.key_phrase,
        "address": to_hex(searcher.address),
        "executor": to_hex(searcher.executor),
        "weth": to_hex(searcher.weth),
    }


def _searcher_from_json(fields: Mapping[str, str]) -> SearcherInfo:
    return SearcherInfo(
        key_phrase=fields["key_phrase"],
        address=from_hex(fields["address"], 20),
        executor=from_hex(fields["executor"], 20),
        weth=from_hex(fields["weth"], 20),
    )
