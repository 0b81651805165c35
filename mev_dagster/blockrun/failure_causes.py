"""Why a run failed, and how long that is worth trying again: budgets in slots, by cause.

What a node, a store or a relay does not answer may be answered in an hour; a block that fails by its own
content fails again. The causes are the names of the error classes that Dagster keeps of a failed step.
"""

from collections.abc import Iterable
from typing import NamedTuple

from mev_dagster import errors

SECONDS_PER_SLOT = 12
"""Mainnet's; a budget is a length of time, whatever chain the blocks are of."""


class Cause(NamedTuple):
    """A kind of failure: its name, and how many slots after the first failure it is still tried again."""

    name: str
    slots: int

    @property
    def seconds(self) -> int:
        """Return the budget in seconds."""
        return self.slots * SECONDS_PER_SLOT


UNREACHABLE = Cause("unreachable", 300)
"""Nothing answered: an hour."""
REFUSED = Cause("refused", 100)
"""It answered, and not what was asked for: a node that is behind, that starts, that is told to slow down."""
LOST = Cause("lost", 50)
"""The run's process ended without a word, or had other code than the run was asked of."""
FAULT = Cause("fault", 0)
"""The block's own content, or ours: the four attempts that everything gets."""

OF_CLASSES: tuple[tuple[type[errors.MevError], Cause], ...] = (
    (errors.Unreachable, UNREACHABLE),
    (errors.NodeAnswerError, REFUSED),
    (errors.StoreError, REFUSED),
    (errors.MissingState, REFUSED),
    (errors.WorkerDied, LOST),
    (errors.OtherCode, LOST),
)


def cause_of(class_names: Iterable[str]) -> Cause:
    """Return the cause that the names of a failure's error classes tell; none at all is a lost process.

    Of several the one with the longest budget: what could not be reached may be what broke the rest.
    """
    names = list(class_names)
    if not names:
        return LOST
    found = [
        cause
        for name in names
        for kind, cause in OF_CLASSES
        if isinstance(raised := getattr(errors, name, None), type) and issubclass(raised, kind)
    ]
    return max(found, key=lambda cause: cause.slots, default=FAULT)
