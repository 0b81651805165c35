"""What the calls of Aave's markets would have logged."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, selector, word
from mev_dagster.dex.called import MadeCall, made_log
from mev_dagster.dex.venues.aave.events import LIQUIDATION_TOPIC

LIQUIDATE = selector("liquidationCall(address,address,address,uint256,bool)")


def read_liquidation(call: MadeCall) -> Log:
    """Return the LiquidationCall log: what was repaid and taken is what moved, where it moved in calls."""
    collateral, debt, borrower = (address(call.arguments, index) for index in range(3))
    liquidator, as_receipt = call.frame.sender, word(call.arguments, 4)
    repaid = sum(word(m.data, 0) for m in call.moved(sender=liquidator) if m.address == debt)
    taken = sum(word(m.data, 0) for m in call.moved(recipient=liquidator) if m.address == collateral)
    values = (repaid or call.frame.value_wei or word(call.arguments, 3), taken, liquidator, as_receipt)
    return made_log(call.frame.to, (LIQUIDATION_TOPIC, collateral, debt, borrower), values)


CALLS = {LIQUIDATE: read_liquidation}
