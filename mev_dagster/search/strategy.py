"""What a strategy is."""

from collections.abc import Iterator
from typing import Protocol

from mev_dagster.search.plan import Plan
from mev_dagster.search.view import BlockView


class Strategy(Protocol):
    """A pure function of what it is shown. `name` carries a version: the same name gives the same plans."""

    name: str

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield the candidates, in any order; each sized to its best."""
        ...
