"""What the calls of pools of concentrated liquidity would have logged: they answer with both amounts."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, selector, signed_word, word
from mev_dagster.dex.called import MadeCall, made_log
from mev_dagster.dex.venues.uniswap_v3.events import BURN_TOPIC, MINT_TOPIC, SWAP_TOPIC

SWAP = selector("swap(address,bool,int256,uint160,bytes)")
MINT = selector("mint(address,int24,int24,uint128,bytes)")
BURN = selector("burn(int24,int24,uint128)")


ANSWER_BYTES = 64


def read_swap(call: MadeCall) -> Log | None:
    """Return the Swap log; price, liquidity and tick behind it are not told.

    A call that failed answers with a reason: what it tried is what moved inside it.
    """
    if len(call.frame.output) == ANSWER_BYTES:
        amounts = signed_word(call.frame.output, 0), signed_word(call.frame.output, 1)
    else:
        came, given = (
            sum(word(log.data, 0) for log in moved)
            for moved in (call.moved(recipient=call.frame.to), call.moved(sender=call.frame.to))
        )
        if not came or not given:
            return None
        amounts = (came, -given) if word(call.arguments, 1) else (-given, came)
    ends = call.frame.sender, address(call.arguments, 0)
    return made_log(call.frame.to, (SWAP_TOPIC, *ends), (*amounts, 0, 0, 0))


def read_mint(call: MadeCall) -> Log:
    """Return the Mint log."""
    amounts = word(call.frame.output, 0), word(call.frame.output, 1)
    position = address(call.arguments, 0), call.arguments[32:64], call.arguments[64:96]
    liquidity = word(call.arguments, 3)
    return made_log(call.frame.to, (MINT_TOPIC, *position), (call.frame.sender, liquidity, *amounts))


def read_burn(call: MadeCall) -> Log:
    """Return the Burn log; the position is its caller's."""
    amounts = word(call.frame.output, 0), word(call.frame.output, 1)
    position = call.frame.sender, call.arguments[:32], call.arguments[32:64]
    return made_log(call.frame.to, (BURN_TOPIC, *position), (word(call.arguments, 2), *amounts))


CALLS = {SWAP: read_swap, MINT: read_mint, BURN: read_burn}
