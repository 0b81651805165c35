"""The log cut into batches that end with a head: a whole window needs no renumbering."""

from collections.abc import Iterator

import numpy as np

from mev_dagster.events.batch import RawBatch
from mev_dagster.events.types import EventKind


class HeadCutter:
    """Collects records up to the first head that makes a batch large enough; keeps what lies behind it."""

    def __init__(self) -> None:
        self._held: RawBatch | None = None

    def take(
        self,
        source: Iterator[RawBatch],
        *,
        at_least: int,
        at_most: int | None = None,
        at_most_bytes: int | None = None,
    ) -> list[RawBatch]:
        """Return the next batch in parts: with `at_least` events and a head at the end, or all there are.

        A window longer than `at_most` events or bytes is cut where it reaches them.
        """
        taken: list[RawBatch] = []
        count = size = 0
        while (part := self._next(source)) is not None:
            most = None if at_most is None else at_most - count
            if at_most_bytes is not None:
                lengths = part.ends - part.offsets
                fit = int(np.searchsorted(np.cumsum(lengths), at_most_bytes - size)) + 1
                most = fit if most is None else min(most, fit)
                size += int(lengths.sum())
            end = _end(part, at_least - count, most)
            if end is not None:
                if end < len(part):
                    self._held = part.piece(end, len(part))
                return [*taken, part.piece(0, end)]
            taken.append(part)
            count += len(part)
        return taken

    def _next(self, source: Iterator[RawBatch]) -> RawBatch | None:
        part, self._held = self._held, None
        return part if part is not None else next(source, None)


def _end(part: RawBatch, at_least: int, at_most: int | None) -> int | None:
    """Return where to cut a part, None where to go on."""
    heads = np.flatnonzero(part.headers["kind"] == EventKind.BLOCK_SEEN) + 1
    enough = heads[heads >= at_least]
    if len(enough) and (at_most is None or enough[0] <= at_most):
        return int(enough[0])
    return at_most if at_most is not None and at_most <= len(part) else None
