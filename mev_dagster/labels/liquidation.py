"""Liquidations of Aave (V2 and V3 share the event) and of Compound V2 and its forks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.errors import DecodeError
from mev_dagster.labels.landed import LandedBlock

AAVE_TOPIC = topic("LiquidationCall(address,address,address,uint256,uint256,address,bool)")
COMPOUND_TOPIC = topic("LiquidateBorrow(address,address,uint256,address,uint256)")


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One debt repaid for collateral. For Compound, debt and collateral are its market tokens."""

    tx_index: int
    tx_hash: bytes
    protocol: str
    market: bytes
    liquidator: bytes
    borrower: bytes
    debt_token: bytes
    debt_repaid: int
    collateral_token: bytes
    collateral_seized: int


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


def liquidations_in(block: LandedBlock) -> Iterator[Liquidation]:
    """Yield the liquidations of a block in log order."""
    for landed in block.txs:
        for log in landed.logs:
            decode = _DECODERS.get(log.topics[0]) if log.topics else None
            if decode is None:
                continue
            try:
                protocol, liquidator, borrower, debt, repaid, collateral, seized = decode(log)
            except DecodeError:
                continue  # anyone may emit an event with this topic
            yield Liquidation(
                tx_index=landed.index,
                tx_hash=landed.tx.hash,
                protocol=protocol,
                market=log.address,
                liquidator=liquidator,
                borrower=borrower,
                debt_token=debt,
                debt_repaid=repaid,
                collateral_token=collateral,
                collateral_seized=seized,
            )
