"""Liquidations on every market that a venue reads: who, whose debt, and what was seized for it."""

import pytest
from label_blocks import BOT, DAI, EVE, MALLORY, POOL, USD, WETH, block, transfer, tx, word

from mev_dagster.chain.receipts import Log
from mev_dagster.chain.signing import address_of
from mev_dagster.dex.abi import topic
from mev_dagster.labels.label import label_block

MARKET, BORROWER = b"\x3a" * 20, address_of(MALLORY)
RAD, RAY = 10**45, 10**27


def said(signature, topics, *values):
    return Log(MARKET, (topic(signature), *map(word, topics)), b"".join(map(word, values)))


AAVE = said(
    "LiquidationCall(address,address,address,uint256,uint256,address,bool)",
    (WETH, USD, BORROWER), 70, 80, BOT, 0,
)  # fmt: skip
AAVE_V1 = said(
    "LiquidationCall(address,address,address,uint256,uint256,uint256,address,bool,uint256)",
    (WETH, USD, BORROWER), 70, 80, 1, BOT, 0, 99,
)  # fmt: skip
EULER_V1 = said(
    "Liquidation(address,address,address,address,uint256,uint256,uint256,uint256,uint256)",
    (BOT, BORROWER, USD), WETH, 70, 80, 1, 2, 3,
)  # fmt: skip
EULER_V2 = said("Liquidate(address,address,address,uint256,uint256)", (BOT, BORROWER), DAI, 70, 80)
COMPOUND_V2 = said("LiquidateBorrow(address,address,uint256,address,uint256)", (), BOT, BORROWER, 70, DAI, 80)
COMPOUND_V3 = said("AbsorbCollateral(address,address,address,uint256,uint256)", (BOT, BORROWER, WETH), 80, 5)


@pytest.mark.parametrize(
    ("log", "protocol", "debt", "collateral"),
    [
        (AAVE, "aave", (USD, 70), (WETH, 80)),
        (AAVE_V1, "aave", (USD, 70), (WETH, 80)),
        (EULER_V1, "euler", (USD, 70), (WETH, 80)),
        (EULER_V2, "euler", (MARKET, 70), (DAI, 80)),
        (COMPOUND_V2, "compound_v2", (MARKET, 70), (DAI, 80)),
        (COMPOUND_V3, "compound_v3", (MARKET, 0), (WETH, 80)),
    ],
)
def test_a_market_that_names_its_tokens_tells_debt_and_collateral(log, protocol, debt, collateral):
    (found,) = label_block(block(tx([log], key=EVE, to=BOT))).of("liquidation")
    detail = found.detail
    assert (detail.protocol, detail.liquidator, detail.borrower) == (protocol, BOT, BORROWER)
    assert (detail.debt_token, detail.debt_repaid) == debt
    assert (detail.collateral_token, detail.collateral_seized) == collateral


MORPHO = said(
    "Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)",
    (b"\1" * 32, BOT, BORROWER), 70, 7, 80, 0, 0,
)  # fmt: skip
MAKER = said(
    "Take(uint256,uint256,uint256,uint256,uint256,uint256,address)", (1, BORROWER), 9, RAY, 80 * RAD, 0, 0
)


@pytest.mark.parametrize(("log", "protocol"), [(MORPHO, "morpho"), (MAKER, "maker")])
def test_where_a_market_names_none_what_moved_tells_what_it_earned(log, protocol):
    moved = [transfer(USD, BOT, MARKET, 70), transfer(WETH, MARKET, BOT, 80)]
    (found,) = label_block(block(tx([*moved, log], key=EVE, to=BOT))).of("liquidation")
    assert (found.detail.protocol, found.victims[0].account) == (protocol, BORROWER)
    assert found.profit == ((WETH, 80), (USD, -70))


def test_a_log_of_another_shape_is_no_liquidation():
    short = Log(MARKET, AAVE.topics, AAVE.data[:-1])
    assert label_block(block(tx([short], key=EVE, to=POOL))).of("liquidation") == ()
