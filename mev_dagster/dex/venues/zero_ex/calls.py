"""What 0x would have logged of the calls that fill makers' orders."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, selector, word
from mev_dagster.dex.called import MadeCall, made_log
from mev_dagster.dex.venues.zero_ex.events import LIMIT_TOPIC, RFQ_TOPIC

_RFQ = "(address,address,uint128,uint128,address,address,address,bytes32,uint64,uint256)"
_LIMIT = "(address,address,uint128,uint128,uint128,address,address,address,address,bytes32,uint64,uint256)"
_SIGNATURE = "(uint8,uint8,bytes32,bytes32)"
_RFQ_FILL_AT, _LIMIT_FILL_AT = 14, 16
"""Word of the calldata that says how much of the order is to be filled: behind order and signature."""


def read_rfq(call: MadeCall) -> Log:
    """Return the RfqOrderFilled log; a fill that has to be whole answers with the maker's amount alone."""
    maker = address(call.arguments, 4)
    tokens = address(call.arguments, 0), address(call.arguments, 1)
    return made_log(
        call.frame.to,
        (RFQ_TOPIC,),
        (0, maker, call.frame.sender, *tokens, *_filled(call, _RFQ_FILL_AT), word(call.arguments, 7)),
    )


def read_limit(call: MadeCall) -> Log:
    """Return the LimitOrderFilled log."""
    maker, recipient = address(call.arguments, 5), address(call.arguments, 8)
    tokens = address(call.arguments, 0), address(call.arguments, 1)
    filled = _filled(call, _LIMIT_FILL_AT)
    pool = word(call.arguments, 9)
    values = (0, maker, call.frame.sender, recipient, *tokens, *filled, 0, 0, pool)
    return made_log(call.frame.to, (LIMIT_TOPIC,), values)


def _filled(call: MadeCall, fill_at: int) -> tuple[int, int]:
    if len(call.frame.output) >= 64:
        return word(call.frame.output, 0), word(call.frame.output, 1)
    return word(call.arguments, fill_at), word(call.frame.output, 0)


CALLS = {
    selector(f"fillRfqOrder({_RFQ},{_SIGNATURE},uint128)"): read_rfq,
    selector(f"fillOrKillRfqOrder({_RFQ},{_SIGNATURE},uint128)"): read_rfq,
    selector(f"_fillRfqOrder({_RFQ},{_SIGNATURE},uint128,address,bool,address)"): read_rfq,
    selector(f"fillLimitOrder({_LIMIT},{_SIGNATURE},uint128)"): read_limit,
    selector(f"fillOrKillLimitOrder({_LIMIT},{_SIGNATURE},uint128)"): read_limit,
    selector(f"_fillLimitOrder({_LIMIT},{_SIGNATURE},uint128,address,address)"): read_limit,
}
