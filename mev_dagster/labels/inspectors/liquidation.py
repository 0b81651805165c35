"""Liquidations of Aave (V2 and V3 share the event) and of Compound V2 and its forks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.errors import DecodeError
from mev_dagster.labels.inspector import Inspector, Json, Key, Told, hexes
from mev_dagster.labels.landed import LandedTx
from mev_dagster.labels.value import Confidence, Label, Victim
from mev_dagster.labels.view import LandedView

AAVE_TOPIC = topic("LiquidationCall(address,address,address,uint256,uint256,address,bool)")
COMPOUND_TOPIC = topic("LiquidateBorrow(address,address,uint256,address,uint256)")


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


_Parts = tuple[str, bytes, bytes, bytes, int, bytes, int]


def _aave(log: Log) -> _Parts:
    if len(log.topics) != 4 or len(log.data) != 128:
        raise DecodeError("not_a_liquidation", f"{len(log.topics)} topics, {len(log.data)} bytes")
    collateral, debt, borrower = (found[12:] for found in log.topics[1:])
    return "aave", address(log.data, 2), borrower, debt, word(log.data, 0), collateral, word(log.data, 1)


def _compound(log: Log) -> _Parts:
    if len(log.topics) != 1 or len(log.data) != 160:
        raise DecodeError("not_a_liquidation", f"{len(log.topics)} topics, {len(log.data)} bytes")
    liquidator, borrower, collateral = (address(log.data, index) for index in (0, 1, 3))
    return "compound_v2", liquidator, borrower, log.address, word(log.data, 2), collateral, word(log.data, 4)


_DECODERS: Mapping[bytes, Callable[[Log], _Parts]] = {AAVE_TOPIC: _aave, COMPOUND_TOPIC: _compound}


class Liquidations(Inspector):
    """Finds the liquidations of a block."""

    kind = "liquidation"
    plural = "liquidations"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield them in log order."""
        for landed in view.block.txs:
            for log in landed.logs:
                decode = _DECODERS.get(log.topics[0]) if log.topics else None
                if decode is None:
                    continue
                try:
                    parts = decode(log)
                except DecodeError:
                    continue  # anyone may emit an event with this topic
                yield _label(view, landed, log.address, parts)

    def key(self, label: Label) -> Key:
        """Return its transaction and whose debt it was."""
        return hexes(label.tx_hashes[0], label.victims[0].account)

    def told(self, entry: Json) -> Told:
        """Read the liquidation of another inspector."""
        return Told((entry["transaction_hash"], entry["liquidated_user"]))


def _label(view: LandedView, landed: LandedTx, market: bytes, parts: _Parts) -> Label:
    protocol, liquidator, borrower, debt, repaid, collateral, seized = parts
    return Label(
        kind=Liquidations.kind,
        accounts=tuple(dict.fromkeys((liquidator, landed.tx.sender))),
        tx_hashes=(landed.tx.hash,),
        venues=(market,),
        profit=((collateral, seized), (debt, -repaid)),
        costs=view.costs([landed.index]),
        net_wei=None,
        confidence=Confidence.MEDIUM,
        why=f"a debt on {protocol} was repaid by another account, which seized collateral for it",
        victims=(Victim(None, borrower),),
        detail=Repayment(landed.tx.hash, protocol, liquidator, borrower, debt, repaid, collateral, seized),
    )
