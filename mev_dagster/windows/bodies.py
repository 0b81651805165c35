"""The bodies of a log decoded into columns: here, or on other cores while the caller goes on."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mev_dagster.chain.columns import DecodedBatch, decode_columns, transaction_columns
from mev_dagster.errors import DecodeError
from mev_dagster.events.batch import RawBatch
from mev_dagster.events.types import EventKind
from mev_dagster.windows.memory import DecodedTransactions

if TYPE_CHECKING:
    from mev_dagster.windows.decode_workers import DecodeWorkers

Decoded = Callable[[], pa.RecordBatch]
"""Gives the columns of a batch's bodies, in order; waits for them where they are not ready."""


class BodyDecoder:
    """Decodes what the log holds. With workers, `begin` returns at once and they do the work."""

    def __init__(
        self, workers: "DecodeWorkers | None" = None, known: DecodedTransactions | None = None
    ) -> None:
        self._workers, self._known = workers, known

    @property
    def lookahead(self) -> int:
        """Number of batches worth beginning before the first is asked for."""
        return 0 if self._workers is None else 1

    def begin(self, batch: RawBatch) -> Decoded:
        """Start on the bodies of a batch."""
        bodies = batch.of_kind(EventKind.TX_BODY)
        raws = bodies.payloads()
        if self._workers is None:
            return lambda: decode_bodies(raws, bodies.subjects(), self._known)
        future = self._workers.submit(raws)
        return lambda: _complete(raws, future.result())


def decode_bodies(
    raws: Sequence[bytes], hashes: Sequence[bytes], known: DecodedTransactions | None = None
) -> pa.RecordBatch:
    """Return the columns of bodies; those that were decoded lately are not decoded again."""
    found = [known.find(tx_hash, raw) if known else None for tx_hash, raw in zip(hashes, raws, strict=True)]
    missing = [place for place, transaction in enumerate(found) if transaction is None]
    if not missing:
        return transaction_columns([transaction for transaction in found if transaction is not None])
    decoded = _accepted([raws[place] for place in missing])
    if len(missing) == len(raws):
        return decoded
    remembered = [place for place, transaction in enumerate(found) if transaction is not None]
    columns = transaction_columns([transaction for transaction in found if transaction is not None])
    return _in_order([columns, decoded], [*remembered, *missing])


def _complete(raws: Sequence[bytes], batch: DecodedBatch) -> pa.RecordBatch:
    """Return the columns of all bodies: workers are as strict as a lane, what they refuse is tried again."""
    if not batch.rejects:
        return batch.rows
    refused = [reject.position for reject in batch.rejects]
    return _in_order(
        [batch.rows, _accepted([raws[place] for place in refused])], [*batch.positions, *refused]
    )


def _accepted(raws: Sequence[bytes]) -> pa.RecordBatch:
    """Decode what a log holds: it has been accepted, and blocks before Homestead may hold a high s."""
    decoded = decode_columns(raws, allow_high_s=True)
    for reject in decoded.rejects:
        raise DecodeError(reject.reason, f"a body of the log: {reject.detail}")
    return decoded.rows


def _in_order(parts: Sequence[pa.RecordBatch], places: Sequence[int]) -> pa.RecordBatch:
    return pa.concat_batches(parts).take(pa.array(np.argsort(np.array(places))))
