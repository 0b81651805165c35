"""Writes era1 files, after the specification and independently of the reader under test."""

import hashlib
import struct
from pathlib import Path

import cramjam

from mev_dagster.chain.blocks import Block, encode_block, encode_header, header_hash
from mev_dagster.chain.receipts import Receipt, encode_receipt
from mev_dagster.chain.rlp import encode_bytes, encode_list, payload_span


def entry(kind: int, data: bytes) -> bytes:
    return struct.pack("<HQ", kind, len(data))[:8] + data


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress(data))


def body_of(block: Block) -> bytes:
    """Return rlp([transactions, uncles]): the block without its header."""
    raw, header = encode_block(block), encode_header(block.header)
    _, start, _ = payload_span(raw, 0, len(raw))
    return encode_list([raw[start + len(header) :]])


def receipts_of(receipts: tuple[Receipt, ...]) -> bytes:
    encoded = [encode_receipt(receipt) for receipt in receipts]
    return encode_list([item if item[0] >= 0xC0 else encode_bytes(item) for item in encoded])


def root_of(records: list[bytes]) -> bytes:
    """Hash a list of 64-byte records as SSZ does, the slow and obvious way: all 8192 leaves."""
    level = [hashlib.sha256(record).digest() for record in records]
    level += [bytes(32)] * (8192 - len(level))
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return hashlib.sha256(level[0] + len(records).to_bytes(32, "little")).digest()


def write_era1(path: Path, blocks: list[tuple[Block, tuple[Receipt, ...]]]) -> Path:
    content, records, offsets = entry(0x3265, b""), [], []
    difficulty = 0
    for block, receipts in blocks:
        difficulty += block.header.difficulty
        total = difficulty.to_bytes(32, "little")
        offsets.append(len(content))
        content += entry(0x03, snappy(encode_header(block.header)))
        content += entry(0x04, snappy(body_of(block)))
        content += entry(0x05, snappy(receipts_of(receipts)))
        content += entry(0x06, total)
        records.append(header_hash(block.header) + total)
    content += entry(0x07, root_of(records))
    first = blocks[0][0].header.number
    numbers = [first, *(offset - len(content) for offset in offsets), len(blocks)]
    content += entry(0x3266, struct.pack(f"<{len(numbers)}q", *numbers))
    path.write_bytes(content)
    return path
