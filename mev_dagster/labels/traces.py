"""Blocks as call traces: OpenEthereum's `trace_block`, geth's callTracer, and either with receipts beside.

A trace has call frames and no logs, so what would have been logged is read from the calls
(`mev_dagster.dex.called`). What a source does not tell is said in `LandedBlock.lacks`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mev_dagster.dex.called import logs_of_calls
from mev_dagster.dex.registry import venues
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_ADDRESSES
from mev_dagster.errors import InputError
from mev_dagster.evm.types import CallFrame
from mev_dagster.hexadecimal import from_hex
from mev_dagster.labels.landed import Lack, LandedBlock, LandedTx

MOST_DEPTH = 1_025
"""Calls nest no deeper than the EVM allows."""

PARITY, GETH = "trace_block", "callTracer"


@dataclass(frozen=True, slots=True)
class TracedTx:
    """A transaction as its outermost call shows it: unsigned, without nonce and prices."""

    hash: bytes
    sender: bytes
    to: bytes | None
    data: bytes
    value_wei: int


class Paid(NamedTuple):
    """What a receipt beside a trace says: gas used, and the price of it."""

    gas_used: int
    gas_price_wei: int


class _ReadTrace(NamedTuple):
    number: int
    miner: bytes | None
    frames: Mapping[bytes, Sequence[CallFrame]]
    receipts: Mapping[bytes, Paid] | None


def is_trace(document: Any) -> bool:
    """Say whether a document is one of those that are read here."""
    return _form_of(document) is not None


class NoCalls(InputError):
    """A node's answer that is no trace of calls: of another tracer, or another method."""

    code = "no_calls"


def is_answer(document: Any) -> bool:
    """Say whether a document is what a node answered, whatever was asked."""
    return isinstance(_answer(document), list) and _request(document) is not None


def traced_block(document: Any, name: str) -> LandedBlock:
    """Return the block of a trace; `name` says where it is from, and its number where nothing else does."""
    form = _form_of(document)
    if form is None:
        raise InputError(f"{name}: expected calls of {PARITY} or {GETH}")
    try:
        return _landed(form(document, name))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"{name}: not a whole trace: {type(error).__name__}: {error}") from error


def _landed(read: _ReadTrace) -> LandedBlock:
    touched = {frame.to for frames in read.frames.values() for frame in frames}
    wrapped_ether = next((one for one in WRAPPED_ETHER_ADDRESSES if one in touched), None)
    if read.receipts is not None and read.receipts.keys() != read.frames.keys():
        raise ValueError(f"{len(read.receipts)} receipts, and calls of {len(read.frames)} transactions")
    lacks = {Lack.LOGS, *([] if read.miner else [Lack.COINBASE_PAYMENTS])}
    txs = []
    for index, (tx_hash, frames) in enumerate(read.frames.items()):
        outer, paid = frames[0], (read.receipts or {}).get(tx_hash)
        to = None if outer.kind.startswith("CREATE") else outer.to
        tx = TracedTx(tx_hash, outer.sender, to, outer.input, outer.value_wei)
        txs.append(
            LandedTx(
                index=index,
                tx=tx,
                succeeded=not outer.error,
                logs=logs_of_calls(frames, venues().calls, wrapped_ether),
                gas_used=paid.gas_used if paid else outer.gas_used,
                gas_cost_wei=paid.gas_used * paid.gas_price_wei if paid else 0,
                direct_payment_wei=_given(frames, read.miner),
                frames=tuple(frames),
            )
        )
    if read.receipts is None:
        lacks.add(Lack.GAS_PRICES)
    return LandedBlock(read.number, b"", 0, wrapped_ether, tuple(txs), tuple(sorted(lacks)))


def _given(frames: Sequence[CallFrame], miner: bytes | None) -> int:
    """Return the ether that calls which stand carried to the coinbase."""
    total, failed_at = 0, None
    for frame in frames:
        if failed_at is not None and frame.depth > failed_at:
            continue
        failed_at = frame.depth if frame.error else None
        if miner is not None and not frame.error and frame.to == miner != frame.sender:
            total += 0 if frame.kind in {"DELEGATECALL", "CALLCODE", "STATICCALL"} else frame.value_wei
    return total


# -- the forms


def _form_of(document: Any) -> Callable[[Any, str], _ReadTrace] | None:
    if isinstance(document, dict) and "traces" in document and "block_number" in document:
        return _with_receipts
    answer = _answer(document)
    if not isinstance(answer, list):
        return None
    first = answer[0] if answer else None
    if isinstance(first, dict) and ("txHash" in first or ("result" in first and "action" not in first)):
        called = first.get("result")
        return _geth if not isinstance(called, dict) or "from" in called or "type" in called else None
    if isinstance(first, dict) and "action" in first:
        return _parity
    return _parity if first is None and _request(document) in (None, PARITY) else None


def _answer(document: Any) -> Any:
    """Return the list of a recorded conversation, of a node's answer, or the list itself."""
    if isinstance(document, list) and document and isinstance(document[0], dict):
        document = document[0] if "response" in document[0] else document
    if isinstance(document, dict) and "response" in document:
        document = document["response"]
    return document.get("result") if isinstance(document, dict) else document


def _asked(document: Any) -> Mapping[str, Any]:
    if isinstance(document, list) and document and isinstance(document[0], dict):
        document = document[0]
    asked = document.get("request") if isinstance(document, dict) else None
    return asked if isinstance(asked, dict) else {}


def _request(document: Any) -> str | None:
    method = _asked(document).get("method")
    return method if isinstance(method, str) else None


def _with_receipts(document: Any, name: str) -> _ReadTrace:
    frames, miner = _parity_frames(document["traces"], "transaction_hash", "trace_address")
    receipts = {
        from_hex(one["transaction_hash"], 32): Paid(int(one["gas_used"]), int(one["effective_gas_price"]))
        for one in document["receipts"]
    }
    miner = from_hex(document["miner"], 20) if document.get("miner") else miner
    return _ReadTrace(int(document["block_number"]), miner, frames, receipts)


def _parity(document: Any, name: str) -> _ReadTrace:
    answer = _answer(document)
    frames, miner = _parity_frames(answer, "transactionHash", "traceAddress")
    told = answer[0]["blockNumber"] if answer else None
    return _ReadTrace(int(told) if told is not None else _number(document, name), miner, frames, None)


def _geth(document: Any, name: str) -> _ReadTrace:
    frames = {}
    for entry in _answer(document):
        tx_hash, outer = from_hex(entry["txHash"], 32), entry.get("result")
        if not isinstance(outer, dict) or "from" not in outer:
            raise ValueError(f"transaction {entry['txHash']}: no calls, but {entry.get('error')!r:.80}")
        frames[tx_hash] = tuple(_nested(outer))
    return _ReadTrace(_number(document, name), None, frames, None)


def _number(document: Any, name: str) -> int:
    """Return the number that was asked for, else the one the file is named by."""
    asked = _asked(document).get("params")
    if isinstance(asked, list) and asked and isinstance(asked[0], str) and asked[0].startswith("0x"):
        return int(asked[0], 16)
    stem = name.rsplit("/", 1)[-1].split(".", maxsplit=1)[0]
    if not stem.isdecimal():
        raise ValueError("expected a block's number, in the request or as the file's name")
    return int(stem)


def _parity_frames(
    traces: Any, hash_key: str, address_key: str
) -> tuple[dict[bytes, list[CallFrame]], bytes | None]:
    """Return the frames by transaction, and who was rewarded for the block."""
    frames: dict[bytes, list[CallFrame]] = {}
    expected: list[int] = []
    miner, last = None, b""
    for trace in traces:
        if trace["type"] == "reward":
            if trace["action"].get("rewardType", "block") == "block":
                miner = from_hex(trace["action"]["author"], 20)
            continue
        tx_hash, depth = from_hex(trace[hash_key], 32), len(trace[address_key])
        if tx_hash != last:
            _whole(expected, last)
            expected, last = [], tx_hash
        while len(expected) > depth:
            _whole(expected[-1:], last)
            expected.pop()
        if len(expected) != depth or depth >= MOST_DEPTH or (depth == 0) == (tx_hash in frames):
            raise ValueError(f"transaction {trace[hash_key]}: a call at {trace[address_key]} without its own")
        if depth:
            expected[-1] -= 1
        expected.append(int(trace["subtraces"]))
        frames.setdefault(tx_hash, []).append(_parity_frame(trace, depth))
    _whole(expected, last)
    return frames, miner


def _whole(expected: Sequence[int], tx_hash: bytes) -> None:
    if any(expected):
        raise ValueError(
            f"transaction 0x{tx_hash.hex()}: {sum(expected)} more calls were announced than are there"
        )


def _parity_frame(trace: Mapping[str, Any], depth: int) -> CallFrame:
    action, result = trace["action"], trace.get("result") or {}
    error = str(trace.get("error") or "")
    if trace["type"] == "suicide":
        ends = from_hex(action["address"], 20), from_hex(action["refundAddress"], 20)
        return CallFrame(depth, "SELFDESTRUCT", *ends, _quantity(action["balance"]), 0, 0, b"", b"", error)
    creates = trace["type"] == "create"
    to = result.get("address") if creates else action["to"]
    return CallFrame(
        depth,
        "CREATE" if creates else action["callType"].upper(),
        from_hex(action["from"], 20),
        from_hex(to, 20) if to else bytes(20),
        _quantity(action["value"]),
        _quantity(action["gas"]),
        _quantity(result.get("gasUsed") or "0x0"),
        from_hex(action["init" if creates else "input"]),
        from_hex(result.get("code" if creates else "output") or "0x"),
        error,
    )


def _nested(outer: Mapping[str, Any]) -> Iterator[CallFrame]:
    waiting: list[tuple[int, Mapping[str, Any]]] = [(0, outer)]
    while waiting:
        depth, call = waiting.pop()
        if depth >= MOST_DEPTH:
            raise ValueError(f"calls nest deeper than {MOST_DEPTH}")
        yield CallFrame(
            depth,
            call["type"],
            from_hex(call["from"], 20),
            from_hex(call["to"], 20) if call.get("to") else bytes(20),
            _quantity(call.get("value") or "0x0"),
            _quantity(call.get("gas") or "0x0"),
            _quantity(call.get("gasUsed") or "0x0"),
            from_hex(call.get("input") or "0x"),
            from_hex(call.get("output") or "0x"),
            str(call.get("error") or ""),
        )
        waiting.extend((depth + 1, inner) for inner in reversed(call.get("calls") or ()))


def _quantity(text: Any) -> int:
    if isinstance(text, int):
        return text
    value = int(text, 16)
    if not 0 <= value < 1 << 256:
        raise ValueError(f"expected a quantity of at most 256 bits, found {text!r:.80}")
    return value
