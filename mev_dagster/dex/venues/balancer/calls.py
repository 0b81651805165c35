"""What the calls of Balancer's pools would have logged. A vault asks the pool for each of its swaps."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, selector, word
from mev_dagster.dex.called import MadeCall, made_log
from mev_dagster.dex.venues.balancer.events import V1_SWAP_TOPIC, V2_SWAP_TOPIC
from mev_dagster.errors import DecodeError

EXACT_IN = selector("swapExactAmountIn(address,uint256,address,uint256,uint256)")
EXACT_OUT = selector("swapExactAmountOut(address,uint256,address,uint256,uint256)")
_REQUEST = "(uint8,address,address,uint256,bytes32,uint256,address,address,bytes)"
ON_SWAP_OF_TWO = selector(f"onSwap({_REQUEST},uint256,uint256)")
ON_SWAP_OF_MANY = selector(f"onSwap({_REQUEST},uint256[],uint256,uint256)")


def read_exact_in(call: MadeCall) -> Log:
    """Return the LOG_SWAP of a swap whose input was exact."""
    return _first(call, word(call.arguments, 1), word(call.frame.output, 0))


def read_exact_out(call: MadeCall) -> Log:
    """Return the LOG_SWAP of a swap whose output was exact."""
    return _first(call, word(call.frame.output, 0), word(call.arguments, 3))


def _first(call: MadeCall, sold: int, bought: int) -> Log:
    ends = call.frame.sender, address(call.arguments, 0), address(call.arguments, 2)
    return made_log(call.frame.to, (V1_SWAP_TOPIC, *ends), (sold, bought))


def read_on_swap(call: MadeCall) -> Log:
    """Return the Swap log of the vault that asks; one side is in the request, the other in the answer."""
    offset = word(call.arguments, 0)
    if offset % 32 or offset >= len(call.arguments):
        raise DecodeError("abi_bad_offset", f"request at {offset} of {len(call.arguments)} bytes")
    request = call.arguments[offset:]
    asked, answered = word(request, 3), word(call.frame.output, 0)
    amounts = (answered, asked) if word(request, 0) else (asked, answered)
    pool_id = word(request, 4).to_bytes(32, "big")
    topics = (V2_SWAP_TOPIC, pool_id, address(request, 1), address(request, 2))
    return made_log(call.frame.sender, topics, amounts)


CALLS = {
    EXACT_IN: read_exact_in,
    EXACT_OUT: read_exact_out,
    ON_SWAP_OF_TWO: read_on_swap,
    ON_SWAP_OF_MANY: read_on_swap,
}
