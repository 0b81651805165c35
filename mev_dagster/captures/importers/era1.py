"""era1 files: pre-merge history, at most 8192 blocks and their receipts each, proven by an accumulator.

    era1        := Version | block-tuple* | other* | Accumulator | BlockIndex
    block-tuple := CompressedHeader | CompressedBody | CompressedReceipts | TotalDifficulty

Source: e2store-format-specs, formats/era1.md. Bodies are checked against their headers, receipts against
their root, and the headers of a file against its accumulator.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mev_dagster.captures.importers.e2store import E2Record, entries, unsnap
from mev_dagster.captures.importers.session import (
    ImportReport,
    ImportSession,
    OnProgress,
    no_progress,
)
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import Block, Header, decode_block, decode_header
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.networks import HOODI, MAINNET, SEPOLIA
from mev_dagster.chain.receipts import Receipt, decode_receipts, receipts_root
from mev_dagster.errors import CaptureError, DecodeError, InputError
from mev_dagster.hexadecimal import to_hex

CHECKPOINT_BLOCKS = 512
VERSION, HEADER, BODY, RECEIPTS, DIFFICULTY = 0x3265, 0x03, 0x04, 0x05, 0x06
ACCUMULATOR, BLOCK_INDEX = 0x07, 0x3266
MAX_BLOCKS = 8192
_NETWORKS = {"mainnet": MAINNET.chain_id, "sepolia": SEPOLIA.chain_id, "hoodi": HOODI.chain_id}
_NAME = re.compile(r"\w+-\d+-(?P<root>[0-9a-f]{8})\.era1$")
_TUPLE = (HEADER, BODY, RECEIPTS, DIFFICULTY)


@dataclass(frozen=True, slots=True)
class BlockTuple:
    """A block as the file holds it: header decompressed, the rest not yet."""

    header_rlp: bytes
    header: Header
    body: bytes
    receipts: bytes

    def block(self) -> Block:
        """Return the block, checked."""
        body = unsnap(self.body)
        start, end = rlp.list_span(body, 0, len(body))
        return decode_block(rlp.encode_list([self.header_rlp, body[start:end]]))

    def decoded_receipts(self) -> tuple[Receipt, ...]:
        """Return the receipts, checked against the header's root."""
        items = rlp.decode_list(unsnap(self.receipts))
        found = decode_receipts([item if isinstance(item, bytes) else rlp.encode(item) for item in items])
        if receipts_root(found) != self.header.receipts_root:
            raise DecodeError("receipts_do_not_match", f"block {self.header.number}")
        return found


def import_era1(
    paths: Sequence[Path | str],
    out: Path | str,
    *,
    chain_id: int | None = None,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Make a capture of era1 files, given in any order. Arrival times are synthetic and say so."""
    files = sorted((Path(path) for path in paths), key=lambda path: (path.name, path))
    with ImportSession(
        out,
        "era1",
        files,
        chain_id=chain_id or _chain_id(files[0]),
        arrival_times=ArrivalTimes.SYNTHETIC,
        checkpoint_every=CHECKPOINT_BLOCKS,
        on_progress=on_progress,
    ) as session:
        parent: Header | None = None
        for position, found in enumerate(_all_blocks(files)):
            if position >= session.start:
                _take(session, found, parent)
            parent = found.header
    return session.report


def _take(session: ImportSession, found: BlockTuple, parent: Header | None) -> None:
    try:
        block = found.block()
    except (DecodeError, CaptureError) as error:
        session.reject(error.reason if isinstance(error, DecodeError) else "damaged_body")
    else:
        receipts: tuple[Receipt, ...] | None = None
        try:
            receipts = found.decoded_receipts()
        except (DecodeError, CaptureError) as error:
            session.reject(error.reason if isinstance(error, DecodeError) else "damaged_receipts")
        session.add_block(block, receipts, None, parent)
    session.step(str(found.header.number))


def _all_blocks(files: Sequence[Path]) -> Iterator[BlockTuple]:
    for path in files:
        yield from blocks_of(path)


def blocks_of(path: Path) -> Iterator[BlockTuple]:
    """Yield the blocks of an era1 file; when it is read to its end, its accumulator has been checked."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    records = entries(path)
    if (first := next(records, None)) is None or first.type != VERSION:
        raise CaptureError(f"{path.name}: offset 0: not an e2store file")
    difficulties: list[bytes] = []
    pending: list[E2Record] = []
    accumulator, first_number, number = b"", -1, -1
    for entry in records:
        if entry.type == ACCUMULATOR:
            accumulator = entry.data
        elif entry.type == BLOCK_INDEX:
            first_number = int.from_bytes(entry.data[:8], "little")
        elif entry.type in _TUPLE:
            pending.append(entry)
            if tuple(each.type for each in pending) != _TUPLE[: len(pending)]:
                raise CaptureError(f"{path.name}: offset {entry.offset}: a block's parts are out of order")
            if len(pending) == len(_TUPLE):
                found = _tuple(path, pending)
                if difficulties and found.header.number != number + 1:
                    raise CaptureError(f"{path.name}: block {found.header.number} follows block {number}")
                number = found.header.number
                difficulties.append(keccak(found.header_rlp) + pending[3].data)
                pending.clear()
                yield found
    if pending or len(difficulties) > MAX_BLOCKS:
        raise CaptureError(f"{path.name}: ends within a block, or holds more than {MAX_BLOCKS}")
    if first_number != number + 1 - len(difficulties):
        raise CaptureError(f"{path.name}: the index starts at block {first_number}, the blocks do not")
    root = accumulator_root(difficulties)
    if accumulator != root:
        raise CaptureError(f"{path.name}: the headers do not make the file's accumulator")
    if (named := _NAME.match(path.name)) and named["root"] != root[:4].hex():
        raise CaptureError(f"{path.name}: named after another accumulator than its own, {to_hex(root)}")


def _tuple(path: Path, parts: Sequence[E2Record]) -> BlockTuple:
    header, body, receipts, difficulty = parts
    try:
        raw = unsnap(header.data)
        if len(difficulty.data) != 32:
            raise DecodeError("wrong_length", f"a total difficulty of {len(difficulty.data)} bytes")
        return BlockTuple(raw, decode_header(raw), body.data, receipts.data)
    except (CaptureError, DecodeError) as error:
        raise CaptureError(f"{path.name}: offset {header.offset}: {error}") from error


def accumulator_root(records: Sequence[bytes]) -> bytes:
    """Return the SSZ root of a list of (block hash, total difficulty), at most 8192 of them."""
    level = [hashlib.sha256(record).digest() for record in records]
    zero = bytes(32)
    for _ in range(MAX_BLOCKS.bit_length() - 1):
        if len(level) % 2:
            level.append(zero)
        level = [hashlib.sha256(level[at] + level[at + 1]).digest() for at in range(0, len(level), 2)]
        zero = hashlib.sha256(zero + zero).digest()
    root = level[0] if level else zero
    return hashlib.sha256(root + len(records).to_bytes(32, "little")).digest()


def _chain_id(path: Path) -> int:
    network = path.name.split("-")[0]
    if network not in _NETWORKS:
        raise InputError(f"{path}: whose chain? era1 files are named <network>-<era>-<hash>.era1")
    return _NETWORKS[network]
