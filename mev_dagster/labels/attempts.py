"""What was tried and undone: the calls that reverted, in transactions that failed and in those that went on.

Nothing of it stands: no swap, no profit. What it cost does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mev_dagster.dex.called import logs_of_calls
from mev_dagster.dex.registry import venues
from mev_dagster.evm.types import CallFrame
from mev_dagster.labels.landed import LandedBlock, LandedTx


def attempts_in(block: LandedBlock) -> LandedBlock:
    """Return the block with what was undone in it, as if it stood, and with nothing else."""
    return replace(block, txs=tuple(_meant(landed, block.wrapped_ether) for landed in block.txs))


def _meant(landed: LandedTx, wrapped_ether: bytes | None) -> LandedTx:
    frames = tuple(_undone(landed.frames)) if any(frame.error for frame in landed.frames) else ()
    logs = logs_of_calls(frames, venues().calls, wrapped_ether) if len(frames) > 1 else ()
    return replace(landed, logs=logs, frames=frames)


def _undone(frames: Sequence[CallFrame]) -> Iterator[CallFrame]:
    """Yield the calls that failed, and those that were undone with them, without their errors."""
    failed_at: int | None = None
    for frame in frames:
        if failed_at is not None and frame.depth > failed_at:
            yield replace(frame, error="")
        else:
            failed_at = frame.depth if frame.error else None
            if frame.error:
                yield replace(frame, error="")
