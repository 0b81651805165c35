"""What the calls of Compound's markets would have logged; zero as answer is no error."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, selector, word
from mev_dagster.dex.called import MadeCall, made_log
from mev_dagster.dex.erc20 import TRANSFER_TOPIC
from mev_dagster.dex.venues.compound.events import LIQUIDATE_TOPIC

LIQUIDATE = selector("liquidateBorrow(address,uint256,address)")
LIQUIDATE_WITH_ETHER = selector("liquidateBorrow(address,address)")
SEIZE = selector("seize(address,address,uint256)")


def read_seized(call: MadeCall) -> Log | None:
    """Return the Transfer of the market tokens that were seized."""
    if any(call.frame.output):
        return None
    liquidator, borrower = address(call.arguments, 0), address(call.arguments, 1)
    return made_log(call.frame.to, (TRANSFER_TOPIC, borrower, liquidator), (word(call.arguments, 2),))


def read_liquidation(call: MadeCall) -> Log | None:
    """Return the LiquidateBorrow log of a debt in a token."""
    if any(call.frame.output):
        return None
    return _log(call, word(call.arguments, 1), address(call.arguments, 2))


def read_liquidation_with_ether(call: MadeCall) -> Log:
    """Return the LiquidateBorrow log of a debt in ether, whose call answers nothing."""
    return _log(call, call.frame.value_wei, address(call.arguments, 1))


def _log(call: MadeCall, repaid: int, collateral: bytes) -> Log:
    liquidator, borrower = call.frame.sender, address(call.arguments, 0)
    seized = [m for m in call.moved(sender=borrower, recipient=liquidator) if m.address == collateral]
    amount = word(seized[-1].data, 0) if seized else 0
    values = (liquidator, borrower, repaid, collateral, amount)
    return made_log(call.frame.to, (LIQUIDATE_TOPIC,), values)


CALLS = {
    SEIZE: read_seized,
    LIQUIDATE: read_liquidation,
    LIQUIDATE_WITH_ETHER: read_liquidation_with_ether,
}
