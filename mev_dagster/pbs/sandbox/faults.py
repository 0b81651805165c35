"""A relay's bad days, scripted: which request meets which fault, by rules, counts and a seed.

A plan is a JSON document, `{"seed": "...", "faults": [{"kind": "latency", "ms": 300}, ...]}`. Of each rule:
`path` is how the path begins (absent: the submissions); `first` and `last` say which of those requests, from
1; `share_bps` how many in ten thousand of them, drawn from the seed. The first rule that applies decides.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from mev_dagster.errors import InputError

SUBMISSIONS = "/relay/v1/builder/blocks"
ALL_BPS = 10_000
MOST_RULES = 256
MOST_DELAY_MS = 60_000


class FaultKind(StrEnum):
    """What can go wrong with one request."""

    LATENCY = "latency"  # answered as ever, `ms` later
    TOO_MANY = "too_many"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # `status`, 500 where it is absent
    RESET = "reset"  # the connection is reset before an answer
    TRUNCATED = "truncated"  # carried out, and the answer breaks off
    NOT_YET_KNOWN = "not_yet_known"  # payload attributes not (yet) known
    DELIVERED = "delivered"  # the slot's payload was handed over
    PLAIN_TEXT = "plain_text"  # an error that is no JSON, with `text`
    SILENT_DROP = "silent_drop"  # 200, and nothing is kept


class FaultRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a plan."""

    kind: FaultKind
    path: str = SUBMISSIONS
    first: int = 1
    last: int | None = None
    share_bps: int = ALL_BPS
    ms: int = 0
    status: int = 500
    text: str = "internal error"

    def __post_init__(self) -> None:
        """Refuse what no request could meet."""
        if not (self.first >= 1 and (self.last is None or self.last >= self.first)):
            raise ValueError(f"{self.kind}: expected 1 ≤ first ≤ last, found {self.first} and {self.last}")
        if not 0 <= self.share_bps <= ALL_BPS:
            raise ValueError(f"{self.kind}: share_bps {self.share_bps}, expected 0 to {ALL_BPS}")
        if not 0 <= self.ms <= MOST_DELAY_MS:
            raise ValueError(f"{self.kind}: ms {self.ms}, expected 0 to {MOST_DELAY_MS}")
        if not 400 <= self.status <= 599:
            raise ValueError(f"{self.kind}: status {self.status}, expected 400 to 599")


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seed: str = ""
    faults: tuple[FaultRule, ...] = ()


@dataclass(slots=True)
class FaultPlan:
    """The rules with how often each was asked and applied. Equal requests in order meet equal faults."""

    seed: str = ""
    rules: Sequence[FaultRule] = ()
    asked: list[int] = field(default_factory=list)
    met: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to count."""
        self.asked, self.met = [0] * len(self.rules), [0] * len(self.rules)

    def next(self, path: str) -> FaultRule | None:
        """Return the fault that the next request to a path meets."""
        found: FaultRule | None = None
        for index, rule in enumerate(self.rules):
            if not path.startswith(rule.path):
                continue
            self.asked[index] += 1
            if found is None and self._applies(index, rule):
                self.met[index] += 1
                found = rule
        return found

    def _applies(self, index: int, rule: FaultRule) -> bool:
        count = self.asked[index]
        if count < rule.first or (rule.last is not None and count > rule.last):
            return False
        drawn = hashlib.sha256(f"{self.seed}\0{index}\0{count}".encode()).digest()
        return int.from_bytes(drawn[:8], "big") % ALL_BPS < rule.share_bps

    def document(self) -> dict[str, Any]:
        """Return the plan and what has come of it, as JSON."""
        faults = [
            {**msgspec.to_builtins(rule), "asked": asked, "met": met}
            for rule, asked, met in zip(self.rules, self.asked, self.met, strict=True)
        ]
        return {"seed": self.seed, "faults": faults}


def plan_of(document: Mapping[str, Any] | bytes) -> FaultPlan:
    """Read a plan; what is wrong is said with where it is."""
    try:
        read = (
            msgspec.json.decode(document, type=_Document)
            if isinstance(document, bytes)
            else msgspec.convert(document, _Document)
        )
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError(f"fault plan: {error}") from error
    if len(read.faults) > MOST_RULES:
        raise InputError(f"fault plan: {len(read.faults)} rules, at most {MOST_RULES}")
    return FaultPlan(read.seed, read.faults)
