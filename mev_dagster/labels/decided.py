"""Disagreements with another inspector that were looked at one by one: who is right, and why.

The list is `decided.json` beside this file; `docs/decisions` says it in words.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import NamedTuple, TypeAlias

from mev_dagster.errors import InputError

Key: TypeAlias = tuple[str, ...]
About: TypeAlias = tuple[int, str, str, Key]
"""Block, kind, the side that has it, and what tells it from others."""

SIDES = frozenset({"ours", "silver"})


class DecidedReason(NamedTuple):
    """Why some disagreements are what they are. `right` is the side that holds."""

    right: str
    why: str


@dataclass(frozen=True)
class Decisions:
    """The decided disagreements, and how often each stands in the list."""

    reasons: Mapping[str, DecidedReason]
    about: Mapping[About, str]

    def why(self, about: About) -> DecidedReason | None:
        """Return the reason, None where nobody decided."""
        name = self.about.get(about)
        return None if name is None else self.reasons[name]

    def ours_alone(self, block: int) -> Mapping[str, int]:
        """Return how many labels of a block, by kind, only we have and are right about."""
        return self._alone.get(block, {})

    @cached_property
    def _alone(self) -> Mapping[int, Mapping[str, int]]:
        found: dict[int, Counter[str]] = {}
        for (block, kind, side, _), name in self.about.items():
            if side == "ours" == self.reasons[name].right:
                found.setdefault(block, Counter())[kind] += 1
        return found


def decisions_of(text: str) -> Decisions:
    """Read the list; what is wrong with it is named."""
    try:
        document = json.loads(text)
        reasons = {name: DecidedReason(one["right"], one["why"]) for name, one in document["reasons"].items()}
        about = {
            (int(one["block"]), str(one["kind"]), str(one["side"]), tuple(one["key"])): str(one["reason"])
            for one in document["disagreements"]
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"decided disagreements: {type(error).__name__}: {error}") from error
    if len(about) != len(document["disagreements"]):
        raise InputError("decided disagreements: one of them stands there twice")
    if not set(about.values()) <= reasons.keys():
        raise InputError("decided disagreements: a reason is named that is not among the reasons")
    if not {side for _, _, side, _ in about} | {one.right for one in reasons.values()} <= SIDES:
        raise InputError(f"decided disagreements: a side is one of {', '.join(sorted(SIDES))}")
    return Decisions(reasons, about)


DECIDED = decisions_of(files("mev_dagster.labels").joinpath("decided.json").read_text())
