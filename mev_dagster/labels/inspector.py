"""What an inspector is: it names its kind and finds it in a block."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from mev_dagster.hexadecimal import to_hex
from mev_dagster.labels.value import Label
from mev_dagster.labels.view import LandedView

Key: TypeAlias = tuple[str, ...]
Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A label of another inspector, by what tells it from others."""

    key: Key


class Inspector(ABC):
    """Finds one kind of label. It sees every block by itself: which kinds win where is said elsewhere."""

    kind: ClassVar[str]
    """The name in the column `kind` of `mev_labels`."""
    plural: ClassVar[str]
    """The key of its labels in `mev label --json`, and of another inspector's in a file of silver labels."""
    yields_to: ClassVar[tuple[str, ...]] = ()
    """Kinds that win over this one beside the pairs of `precedence.PAIRS`; for a kind of another package."""

    @abstractmethod
    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield the labels of a block in the order of their first transactions."""

    def key(self, label: Label) -> Key | None:
        """Return what tells one label from another when two inspectors are compared; None: not compared."""
        return None

    def keys(self, label: Label) -> tuple[Key, ...]:
        """Return all that a label would be for an inspector that tells the same in several labels."""
        key = self.key(label)
        return () if key is None else (key,)

    def told(self, entry: Json) -> Told | None:
        """Read another inspector's label of this kind; None: not compared."""
        return None


def hexes(*values: bytes) -> Key:
    """Return a key as other inspectors write it."""
    return tuple(map(to_hex, values))
