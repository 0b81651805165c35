"""Steps and seconds that one transaction may take."""

import time

from mev_dagster.evm.types import ExecutionLimits
from mev_dagster.evm.validate import Invalid


class LimitReached(Exception):
    """Execution was stopped by this program; not an EVM error, so py-evm's own handling lets it pass."""

    def __init__(self, what: Invalid) -> None:
        super().__init__(what)
        self.what = what


class Budget:
    """What is left of the limits of one transaction."""

    __slots__ = ("_deadline", "_steps_left")

    def __init__(self, limits: ExecutionLimits) -> None:
        self._steps_left = limits.steps
        self._deadline = None if limits.seconds is None else time.monotonic() + limits.seconds

    def take(self, steps: int) -> None:
        """Account for executed steps, or raise `LimitReached`."""
        if self._steps_left is not None:
            self._steps_left -= steps
            if self._steps_left < 0:
                raise LimitReached(Invalid.STEP_LIMIT)
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise LimitReached(Invalid.TIME_LIMIT)
