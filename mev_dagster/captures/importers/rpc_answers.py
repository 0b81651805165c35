"""JSON-RPC answers kept in files: blocks with full transactions, and receipts where there are any.

A file holds one answer, one a line, a list of answers, or a list of `{request, response}` pairs. Understood
are `eth_getBlockBy*`, `eth_getBlockReceipts` and its relatives, `debug_getRawBlock`, `debug_getRawReceipts`,
and the same results without their envelope. No states: such a capture serves decoding, windows and labels.
Files are read twice, first for what is in them, then in block order, one at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from mev_dagster.captures.importers.rpc_files import AnswerReader, answer_files, is_raw, is_receipts
from mev_dagster.captures.importers.session import (
    ImportReport,
    ImportSession,
    OnProgress,
    no_progress,
)
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.chain.blocks import Block, Header, decode_block
from mev_dagster.chain.jsonrpc import block_from_rpc, receipt_from_rpc
from mev_dagster.chain.networks import MAINNET
from mev_dagster.chain.receipts import Receipt, decode_receipts, receipts_root
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.hexadecimal import from_hex

CHECKPOINT_BLOCKS = 64


class _Kind(Enum):
    BLOCK = "block"
    RAW_BLOCK = "raw block"
    RECEIPTS = "receipts"
    RAW_RECEIPTS = "raw receipts"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer is: the file, and its place there."""

    path: Path
    index: int
    kind: _Kind


def import_rpc_answers(
    paths: Sequence[Path | str],
    out: Path | str,
    *,
    chain_id: int | None = None,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Make a capture of the blocks in files of JSON-RPC answers, or folders of such files.

    The chain is the one that the transactions are signed for, where `chain_id` does not say it; mainnet where
    none says.
    """
    files = answer_files([Path(path) for path in paths])
    refused: list[str] = []
    blocks, receipts, signed_for = _index(files, refused)
    chain_id = chain_id or signed_for or MAINNET.chain_id
    numbers = sorted(blocks)
    if not numbers:
        raise InputError(f"{files[0]}: no block with its transactions in {len(files)} files")
    reader = AnswerReader()
    with ImportSession(
        out,
        "JSON-RPC answers",
        files,
        chain_id=chain_id,
        arrival_times=ArrivalTimes.SYNTHETIC,
        checkpoint_every=CHECKPOINT_BLOCKS,
        total=len(numbers),
        on_progress=on_progress,
    ) as session:
        if not session.start:
            refused += ["receipts_without_block"] * len(receipts.keys() - blocks.keys())
            for reason in refused:
                session.reject(reason)
        parent: Header | None = None
        if session.start:
            parent = _header_of(reader, blocks[numbers[session.start - 1]])
        for number in numbers[session.start :]:
            try:
                block = _block(reader, blocks[number])
                _check_chain(block, chain_id)
            except DecodeError as error:
                session.reject(error.reason)
            else:
                found = _receipts(reader, receipts.get(number), block, session)
                session.add_block(block, found, None, parent)
                parent = block.header
            session.step(str(number))
    return session.report


def _index(
    files: Sequence[Path], refused: list[str]
) -> tuple[dict[int, _Place], dict[int, _Place], int | None]:
    """Return where each block and each block's receipts are, and which chain the transactions are for.

    The first of several answers counts.
    """
    chain_id: int | None = None
    blocks: dict[int, _Place] = {}
    receipts: dict[int, _Place] = {}
    reader = AnswerReader()
    for path in files:
        for index, answer in reader.answers(path):
            try:
                kind, number = _classify(answer)
                if chain_id is None:
                    chain_id = _chain_of(answer, kind)
            except DecodeError as error:
                refused.append(error.reason)
                continue
            known = blocks if kind in (_Kind.BLOCK, _Kind.RAW_BLOCK) else receipts
            if number in known:
                refused.append(f"second_{kind.name.lower().removeprefix('raw_')}")
            known.setdefault(number, _Place(path, index, kind))
    return blocks, receipts, chain_id


def _chain_of(answer: Any, kind: _Kind) -> int | None:
    """Return the chain that a block's transactions are signed for, None where they do not say (EIP-155)."""
    result = _result(answer)
    if kind is _Kind.RAW_BLOCK:
        signed_for = (transaction.chain_id for transaction in decode_block(_bytes(result)).transactions)
    elif kind is _Kind.BLOCK:
        signed_for = (_chain_id_of(item) for item in result["transactions"])
    else:
        return None
    return next((chain_id for chain_id in signed_for if chain_id is not None), None)


def _chain_id_of(transaction: Any) -> int | None:
    try:
        if transaction.get("chainId") is not None:
            return int(transaction["chainId"], 16)
        v = int(transaction["v"], 16)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return (v - 35) // 2 if v >= 35 else None


def _check_chain(block: Block, chain_id: int) -> None:
    for transaction in block.transactions:
        if transaction.chain_id not in (None, chain_id):
            raise DecodeError("other_chain", f"a transaction is signed for chain {transaction.chain_id}")


def _classify(answer: Any) -> tuple[_Kind, int]:
    result = _result(answer)
    if isinstance(result, dict) and "parentHash" in result:
        listed = result.get("transactions")
        if not isinstance(listed, list) or any(isinstance(item, str) for item in listed):
            raise DecodeError("transactions_are_hashes")
        return _Kind.BLOCK, _number(result.get("number"))
    if is_receipts(result):
        return _Kind.RECEIPTS, _number(result[0].get("blockNumber"))
    if isinstance(result, str) and result.startswith("0x"):
        return _Kind.RAW_BLOCK, decode_block(_bytes(result)).header.number
    if is_raw(result):
        return _Kind.RAW_RECEIPTS, _number(_asked_for(answer))
    raise DecodeError("no_block_or_receipts")


def _result(answer: Any) -> Any:
    """Return what an answer holds, out of whatever envelopes it is in."""
    if isinstance(answer, DecodeError):
        raise answer
    if isinstance(answer, dict) and "response" in answer:
        answer = answer["response"]
    if not isinstance(answer, dict) or "jsonrpc" not in answer:
        return answer
    if answer.get("error") is not None:
        raise DecodeError("error_answer")
    if answer.get("result") is None:
        raise DecodeError("empty_answer")
    return answer["result"]


def _asked_for(answer: Any) -> Any:
    """Return the block that a raw answer's request names; the answer itself does not."""
    try:
        return answer["request"]["params"][0]
    except (KeyError, TypeError, IndexError):
        raise DecodeError("raw_receipts_without_request") from None


def _number(value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise DecodeError("no_block_number") from None


def _bytes(text: str) -> bytes:
    try:
        return from_hex(text)
    except ValueError:
        raise DecodeError("not_hex") from None


def _block(reader: AnswerReader, place: _Place) -> Block:
    result = _result(reader.answer(place.path, place.index))
    return decode_block(_bytes(result)) if place.kind is _Kind.RAW_BLOCK else block_from_rpc(result)


def _header_of(reader: AnswerReader, place: _Place) -> Header | None:
    try:
        return _block(reader, place).header
    except DecodeError:
        return None


def _receipts(
    reader: AnswerReader, place: _Place | None, block: Block, session: ImportSession
) -> tuple[Receipt, ...] | None:
    """Return a block's receipts, None without any that fit its root."""
    if place is None:
        return None
    try:
        found = tuple(_decoded(_result(reader.answer(place.path, place.index)), place.kind))
        if receipts_root(found) == block.header.receipts_root:
            return found
        session.reject("receipts_do_not_match")
    except DecodeError as error:
        session.reject(error.reason)
    return None


def _decoded(result: Any, kind: _Kind) -> Iterator[Receipt]:
    if kind is _Kind.RAW_RECEIPTS:
        yield from decode_receipts([_bytes(item) for item in result])
    else:
        yield from (receipt_from_rpc(item) for item in result)
