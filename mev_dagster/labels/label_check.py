"""A label of another package's inspector, held against what precedence, the report and the rows take."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.value import Confidence, Costs, Label, Victim
from mev_dagster.labels.view import LandedView

ADDRESS_BYTES, HASH_BYTES = 20, 32
MOST = 1 << 255


@dataclass(frozen=True, slots=True)
class DetailSaid:
    """What a label said that other kinds do not, asked for once."""

    said: Mapping[str, Any]

    def to_json(self) -> Mapping[str, Any]:
        """Return its keys."""
        return self.said


def checked(label: Any, inspector: Inspector, view: LandedView) -> Label:
    """Return the label, or raise an error that names what is wrong with it."""
    if not isinstance(label, Label) or label.kind != inspector.kind:
        raise TypeError(f"expected labels of kind {inspector.kind}, found {label!r:.100}")
    if not (label.accounts and label.tx_hashes and view.hashes.issuperset(label.tx_hashes)):
        raise ValueError(f"a label of kind {label.kind} names no account, or a transaction of another block")
    _all_bytes("accounts", label.accounts, ADDRESS_BYTES)
    _all_bytes("venues", label.venues, ADDRESS_BYTES)
    _amounts("profit", label.profit)
    for victim in label.victims:
        _victim(victim)
    if label.behind is not None:
        _all_bytes("behind", (label.behind,), HASH_BYTES)
    if not isinstance(label.costs, Costs):
        raise TypeError(f"expected costs as Costs, found {label.costs!r:.80}")
    for name, amount in (("gas", label.costs.gas_wei), ("coinbase", label.costs.coinbase_wei)):
        _amount(name, amount)
    if label.net_wei is not None:
        _amount("net_wei", label.net_wei)
    if not (isinstance(label.why, str) and isinstance(label.opportunity, str)):
        raise TypeError(f"expected words for why and opportunity, found {label.why!r:.80}")
    return replace(
        label, confidence=Confidence(label.confidence), detail=DetailSaid(dict(label.detail.to_json()))
    )


def _victim(victim: Any) -> None:
    if not isinstance(victim, Victim):
        raise TypeError(f"expected a Victim, found {victim!r:.80}")
    _all_bytes("victims", (victim.account,), ADDRESS_BYTES)
    if victim.tx_hash is not None:
        _all_bytes("victims", (victim.tx_hash,), HASH_BYTES)
    _amounts("losses", victim.loss)


def _amounts(name: str, amounts: Any) -> None:
    for token, amount in amounts:
        _all_bytes(name, (token,), ADDRESS_BYTES)
        _amount(name, amount)


def _all_bytes(name: str, values: tuple[Any, ...], size: int) -> None:
    for value in values:
        if not isinstance(value, bytes) or len(value) != size:
            raise ValueError(f"{name}: expected {size} bytes, found {value!r:.80}")


def _amount(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not -MOST < value < MOST:
        raise ValueError(f"{name} cannot be {value!r:.80}")
