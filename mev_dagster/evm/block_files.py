"""The block files of `fixtures/blocks_prestate`: a block, the state it starts from, what it must give.

A folder holds `<number>.json` files, `codes.json` with every code by its keccak, and where there is one
`<number>.witness.json`; each may be compressed with zstd.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.jsonrpc import block_from_rpc, log_from_rpc
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import InputError, MevError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.state.witness_files import witness_from_json
from mev_dagster.hexadecimal import from_hex
from mev_dagster.units import GIB, MIB

_SUFFIXES = (".json", ".json.zst")
_CODES, _WITNESS = "codes", "witness"
_MAX_BYTES = GIB
_PIECE_BYTES = MIB


@dataclass(frozen=True, slots=True)
class BlockFile:
    """One block with all that is needed to execute it and to judge the result."""

    path: Path
    chain_id: int
    block: Block
    prestate: Prestate
    expected: tuple[Receipt, ...]
    witness: Witness | None


class Codes(Mapping[bytes, bytes]):
    """Codes by keccak, turned from hex into bytes when asked for: a block needs few of them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, code_hash: bytes) -> bytes:
        return from_hex(self._texts[code_hash.hex()])

    def __iter__(self) -> Iterator[bytes]:
        return (bytes.fromhex(text) for text in self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def block_paths(path: Path) -> list[Path]:
    """Return the block files of a folder by number, or the one file; a path without any is refused."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    found = [
        entry
        for entry in path.iterdir()
        if entry.name.endswith(_SUFFIXES) and _stem(entry) != _CODES and not _stem(entry).endswith(_WITNESS)
    ]
    if not found:
        raise InputError(f"{path}: holds no block file (<number>.json or <number>.json.zst)")
    return sorted(found, key=lambda entry: (len(_stem(entry)), entry.name))


def load_codes(folder: Path) -> Codes:
    """Read the codes beside the block files; a folder without them has none."""
    path = _beside(folder, _CODES)
    return Codes({} if path is None else _read(path))


def load_block_file(
    path: Path, codes: Mapping[bytes, bytes] | None = None, document: Any = None
) -> BlockFile:
    """Read one block file, or take its content where that was read; what is wrong is said with its name."""
    found_codes = load_codes(path.parent) if codes is None else codes
    document = _read(path) if document is None else document
    try:
        witness_path = _beside(path.parent, f"{_stem(path)}.{_WITNESS}")
        witness = None if witness_path is None else witness_from_json(_read(witness_path))
        return BlockFile(
            path=path,
            chain_id=int(document["chain_id"]),
            block=block_from_rpc(document["block"]),
            prestate=Prestate.from_fixture(document, found_codes),
            expected=tuple(_receipt(item) for item in document["expected"]["receipts"]),
            witness=witness,
        )
    except MevError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a block file: {type(error).__name__}: {error}") from error


def _receipt(item: Mapping[str, Any]) -> Receipt:
    return Receipt(
        type=int(item["type"]),
        status=int(item["status"]),
        post_state=None,
        cumulative_gas_used=int(item["cumulative_gas_used"]),
        gas_used=int(item["gas_used"]),
        logs=tuple(log_from_rpc(log) for log in item["logs"]),
    )


def read_document(path: Path) -> Any:
    """Read a JSON file, compressed or not; what is wrong with it is said with its name."""
    return _read(path)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".zst").removesuffix(".json")


def _beside(folder: Path, stem: str) -> Path | None:
    candidates = (folder / f"{stem}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            return json.loads(
                _bounded(zstandard.ZstdDecompressor().stream_reader(stream), path)
                if path.name.endswith(".zst")
                else _bounded(stream, path)
            )
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except zstandard.ZstdError as error:
        raise InputError(f"{path}: not a zstd file: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: truncated, or not JSON: {error}") from error


def _bounded(stream: BinaryIO, path: Path) -> bytes:
    """Read a stream piece by piece, so that a small file cannot grow into all memory."""
    pieces, size = [], 0
    while piece := stream.read(_PIECE_BYTES):
        size += len(piece)
        if size > _MAX_BYTES:
            raise InputError(f"{path}: more than {_MAX_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)
