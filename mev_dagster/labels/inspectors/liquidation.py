"""Liquidations: debts repaid by other accounts for what secured them, on every market that a venue reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mev_dagster.dex.events import events_of
from mev_dagster.dex.venue_events import LiquidationEvent
from mev_dagster.labels.inspector import Inspector, Json, Key, Told, hexes
from mev_dagster.labels.landed import LandedTx
from mev_dagster.labels.value import Amounts, Confidence, Label, Victim
from mev_dagster.labels.view import LandedView


@dataclass(frozen=True, slots=True)
class Repayment:
    """One debt repaid for collateral. For Compound, debt and collateral are its market tokens."""

    tx_hash: bytes
    protocol: str
    liquidator: bytes
    borrower: bytes
    debt_token: bytes
    debt_repaid: int
    collateral_token: bytes
    collateral_seized: int

    def to_json(self) -> Mapping[str, Any]:
        """Return who repaid whose debt and what was seized."""
        return {
            "tx_hash": self.tx_hash,
            "protocol": self.protocol,
            "liquidator": self.liquidator,
            "borrower": self.borrower,
            "debt": {"token": self.debt_token, "amount": self.debt_repaid},
            "collateral": {"token": self.collateral_token, "amount": self.collateral_seized},
        }


class Liquidations(Inspector):
    """Finds the liquidations of a block."""

    kind = "liquidation"
    plural = "liquidations"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield them in log order."""
        for landed in view.block.txs:
            for _, event in events_of(landed.logs):
                if isinstance(event, LiquidationEvent):
                    yield _label(view, landed, event)

    def key(self, label: Label) -> Key:
        """Return its transaction and whose debt it was."""
        return hexes(label.tx_hashes[0], label.victims[0].account)

    def told(self, entry: Json) -> Told:
        """Read the liquidation of another inspector."""
        return Told((entry["transaction_hash"], entry["liquidated_user"]))


def _label(view: LandedView, landed: LandedTx, event: LiquidationEvent) -> Label:
    liquidator = event.liquidator if any(event.liquidator) else landed.tx.sender
    taken, paid = (event.collateral_token, event.collateral_taken), (event.debt_token, -event.debt_repaid)
    costs = view.costs([landed.index])
    # A market that names its tokens by a hash leaves them to what moved: what the actor holds more.
    named = any(event.collateral_token) and any(event.debt_token)
    profit = tuple(one for one in (taken, paid) if one[1]) if named else _held_more(view, landed)
    return Label(
        kind=Liquidations.kind,
        accounts=tuple(dict.fromkeys((liquidator, landed.tx.sender))),
        tx_hashes=(landed.tx.hash,),
        venues=(event.market,),
        profit=profit,
        costs=costs,
        net_wei=view.net_wei(profit, costs),
        confidence=Confidence.MEDIUM,
        why=f"a debt on {event.protocol} was repaid by another account, which seized collateral for it",
        victims=(Victim(None, event.borrower),),
        detail=Repayment(
            landed.tx.hash,
            event.protocol,
            liquidator,
            event.borrower,
            event.debt_token,
            event.debt_repaid,
            event.collateral_token,
            event.collateral_taken,
        ),
    )


def _held_more(view: LandedView, landed: LandedTx) -> Amounts:
    flow = view.flow_of(landed.index)
    total: dict[bytes, int] = {}
    for account in flow.actor:
        for token, change in flow.held.get(account, {}).items():
            total[token] = total.get(token, 0) + change
    return tuple(sorted((token, change) for token, change in total.items() if change))
