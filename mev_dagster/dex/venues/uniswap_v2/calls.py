"""What a pair's calls would have logged: what was paid in comes before the call, or inside it."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, selector, word
from mev_dagster.dex.called import MadeCall, made_log
from mev_dagster.dex.venues.uniswap_v2.events import SWAP_TOPIC

SWAP = selector("swap(uint256,uint256,address,bytes)")
_TAKES_WHAT_CAME = tuple(
    selector(signature) for signature in ("mint(address)", "burn(address)", "skim(address)", "sync()")
)


def read_swap(call: MadeCall) -> Log | None:
    """Return the Swap log. What came in is all that was sent to the pair since it last looked."""
    asked = word(call.arguments, 0), word(call.arguments, 1)
    paid = {log.address: word(log.data, 0) for log in call.moved(sender=call.frame.to)}
    out = 0 if asked[0] else 1
    token_out = next((token for token, amount in paid.items() if amount == asked[out]), None)
    if token_out is None:
        return None
    came = [0, 0]
    for token, amount in call.received.items():
        came[out if token == token_out else 1 - out] += amount
    ends = call.frame.sender, address(call.arguments, 2)
    return made_log(call.frame.to, (SWAP_TOPIC, *ends), (*came, *asked))


def forget_what_came(call: MadeCall) -> None:
    """Return no log: what was sent to the pair is counted by this call, and by no later swap."""


CALLS = {SWAP: read_swap, **dict.fromkeys(_TAKES_WHAT_CAME, forget_what_came)}
