"""Block files with prestates, as in `fixtures/blocks_prestate`.

One JSON document per block, and the contract codes by keccak in a `codes.json` beside them; plain or
zstd-compressed. One file is held in memory at a time. Arrival times are synthetic and say so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mev_dagster.captures.importers.session import (
    ImportReport,
    ImportSession,
    OnProgress,
    no_progress,
    read_json,
)
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.chain.blocks import Block, Header, header_hash
from mev_dagster.chain.jsonrpc import block_from_rpc, header_from_rpc, log_from_rpc
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import CaptureError, DecodeError, InputError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.state.witness_files import witness_from_json
from mev_dagster.hexadecimal import from_hex

CHECKPOINT_BLOCKS = 16
_CODES = "codes.json"


@dataclass(frozen=True, slots=True)
class PrestateFile:
    """One block file, read and checked."""

    chain_id: int
    block: Block
    receipts: tuple[Receipt, ...]
    prestate: Prestate


def import_blocks_prestate(
    paths: Sequence[Path | str], out: Path | str, *, on_progress: OnProgress = no_progress
) -> ImportReport:
    """Make a capture of block files, or folders of them."""
    files = block_files([Path(path) for path in paths])
    chain_id = _chain_id(files[0])
    codes = _CodesBeside()
    with ImportSession(
        out,
        "block files",
        files,
        chain_id=chain_id,
        arrival_times=ArrivalTimes.SYNTHETIC,
        checkpoint_every=CHECKPOINT_BLOCKS,
        total=len(files),
        on_progress=on_progress,
    ) as session:
        parent = _header(files[session.start - 1]) if session.start else None
        for path in files[session.start :]:
            read = read_block_file(path, codes.of(path))
            if read.chain_id != chain_id:
                raise InputError(f"{path}: chain {read.chain_id}, the files before it are of {chain_id}")
            witness = _witness_beside(path, read.block)
            session.add_block(read.block, read.receipts, read.prestate, parent, witness)
            parent = read.block.header
            session.step(str(parent.number))
    return session.report


def _chain_id(path: Path) -> int:
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("chain_id"), int):
        raise InputError(f"{path}: chain_id: expected an integer")
    return int(document["chain_id"])


def _header(path: Path) -> Header:
    return header_from_rpc(read_json(path)["block"])


def block_files(paths: Iterable[Path]) -> list[Path]:
    """Return the block files under `paths` in block order; their names start with the number."""
    found = [file for path in paths for file in _expand(path)]
    if not found:
        raise InputError("no block files named <number>.json or <number>.json.zst there")
    return sorted(found, key=lambda file: int(file.name.split(".")[0]))


def _expand(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for file in path.iterdir():
            number, _, ending = file.name.partition(".")
            if number.isdigit() and ending in ("json", "json.zst"):
                yield file
    elif not path.exists():
        raise InputError(f"{path}: no such file")
    elif not path.name.split(".")[0].isdigit():
        raise InputError(f"{path}: expected a block file named after its number")
    else:
        yield path


def read_block_file(path: Path, codes: Mapping[bytes, bytes]) -> PrestateFile:
    """Read one block file and check block, transactions and receipts against each other."""
    document = read_json(path)
    try:
        block = block_from_rpc(document["block"])
        receipts = tuple(_receipt(receipt) for receipt in document["expected"]["receipts"])
        if block.header.number != document["number"] or len(receipts) != len(block.transactions):
            raise CaptureError(f"{path}: number or receipts are not those of the block")
        return PrestateFile(
            int(document["chain_id"]), block, receipts, Prestate.from_fixture(document, codes)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from error
    except DecodeError as error:
        raise InputError(f"{path}: {error}") from error


def _witness_beside(path: Path, block: Block) -> Witness | None:
    """Return the witness beside a block file, in whichever form; it must lead to the block's parent."""
    number = path.name.split(".")[0]
    candidates = (path.with_name(f"{number}.witness.json{ending}") for ending in (".zst", ""))
    found = next((one for one in candidates if one.exists()), None)
    if found is None:
        return None
    try:
        witness = witness_from_json(read_json(found))
    except (InputError, DecodeError) as error:
        raise InputError(f"{found}: {error}") from error
    parents = {header_hash(header): header for header in witness.ancestors}
    if parents and block.header.parent_hash not in parents:
        raise InputError(f"{found}: none of its headers is the parent of block {block.header.number}")
    return witness


def _receipt(obj: Mapping[str, Any]) -> Receipt:
    """Read an expected receipt: plain integers, no bloom."""
    root = obj.get("root")
    return Receipt(
        type=int(obj["type"] or 0),
        status=None if obj.get("status") is None else int(obj["status"]),
        post_state=from_hex(root) if root else None,
        cumulative_gas_used=int(obj["cumulative_gas_used"]),
        gas_used=int(obj["gas_used"]),
        logs=tuple(log_from_rpc(log) for log in obj["logs"]),
    )


def read_codes(path: Path) -> dict[bytes, bytes]:
    """Return the codes of a `codes.json`, by keccak."""
    document = read_json(path)
    try:
        return {from_hex(code_hash): from_hex(code) for code_hash, code in document.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: {error}") from error


class _CodesBeside:
    """The codes file of the folder a block file is in, read once per folder."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._codes: dict[bytes, bytes] = {}

    def of(self, block_file: Path) -> Mapping[bytes, bytes]:
        if block_file.parent != self._folder:
            self._folder = block_file.parent
            found = [self._folder / name for name in (f"{_CODES}.zst", _CODES)]
            path = next((path for path in found if path.exists()), None)
            if path is None:
                raise InputError(f"{self._folder}: no {_CODES} beside the block files")
            self._codes = read_codes(path)
        return self._codes
