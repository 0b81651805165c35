"""The call tree of a finished transaction."""

from typing import Any

from eth.exceptions import Revert

from mev_dagster.evm.types import CallFrame

_BORROWS_CODE = {"DELEGATECALL", "CALLCODE"}


def call_tree(root: Any) -> tuple[CallFrame, ...]:
    """Return a computation and all it called, callers first."""
    frames, waiting = [], [root]
    while waiting:
        computation = waiting.pop()
        frames.append(_frame(computation))
        waiting += reversed(computation.children)
    return tuple(frames)


def _frame(computation: Any) -> CallFrame:
    message = computation.msg
    return CallFrame(
        depth=message.depth,
        kind=message.kind,
        sender=message.storage_address if message.kind in _BORROWS_CODE else message.sender,
        to=message.code_address if message.kind in _BORROWS_CODE else message.storage_address,
        value_wei=message.value,
        gas=message.gas,
        gas_used=message.gas - computation.get_gas_remaining(),
        input=bytes(message.code if message.is_create else message.data),
        output=bytes(computation.output),
        error=_error_of(computation),
    )


def _error_of(computation: Any) -> str:
    if computation.is_success:
        return ""
    error = computation.error
    return "Reverted" if isinstance(error, Revert) else type(error).__name__
