"""A node's `callTracer` answer as our call tree."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.transactions import Transaction
from mev_dagster.chain.validity import intrinsic_gas
from mev_dagster.evm.types import CallFrame, TxResult, TxStatus
from mev_dagster.hexadecimal import from_hex

REVERTED, HALTED = "Reverted", "halted"

_REVERTED_IN_NODES_WORDS = "execution reverted"
# Nodes list what an instruction refused to begin; ours lists calls, and these never were any.
_NEVER_BEGAN = {"insufficient balance for transfer", "max call depth exceeded", "contract address collision"}
_NO_CALL = {"SELFDESTRUCT"}


def call_frames(
    traced: Mapping[str, Any], tx: Transaction, fork: Fork, result: TxResult
) -> tuple[CallFrame, ...]:
    """Return the frames, callers first.

    Nodes give the whole transaction's gas for its outermost call. What the call itself was given follows
    from it; what it used is known up to refunds.
    """
    frames: list[CallFrame] = []
    waiting = [(traced, 0, 0)]
    while waiting:
        call, depth, value_above = waiting.pop()
        frame = _frame(call, depth, value_above)
        frames.append(frame)
        below = [child for child in call.get("calls", ()) if _began(child)]
        waiting += [(child, depth + 1, frame.value_wei) for child in reversed(below)]
    given = tx.gas_limit - intrinsic_gas(tx, fork)
    used = given if result.status is TxStatus.HALTED else result.gas_used - intrinsic_gas(tx, fork)
    return (replace(frames[0], gas=given, gas_used=used), *frames[1:])


def _began(call: Mapping[str, Any]) -> bool:
    return call["type"] not in _NO_CALL and call.get("error") not in _NEVER_BEGAN


def _frame(call: Mapping[str, Any], depth: int, value_above: int) -> CallFrame:
    error = call.get("error", "")
    if error:
        error = REVERTED if error == _REVERTED_IN_NODES_WORDS else HALTED
    borrowed = value_above if call["type"] == "DELEGATECALL" else 0
    return CallFrame(
        depth=depth,
        kind=call["type"],
        sender=from_hex(call["from"]),
        to=from_hex(call.get("to", "0x")),
        value_wei=int(call["value"], 16) if "value" in call else borrowed,
        gas=int(call["gas"], 16),
        gas_used=int(call["gasUsed"], 16),
        input=from_hex(call.get("input", "0x")),
        output=b"" if error == HALTED else from_hex(call.get("output", "0x")),
        error=error,
    )
