"""Calls to a Uniswap V2 router, as the pending transaction states them.

Recognised by function, not by the router's address: every fork deployed its own router with these signatures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from mev_dagster.dex.abi import address, address_array, selector, word
from mev_dagster.dex.venue import SwapIntent
from mev_dagster.dex.venues.uniswap_v2.events import PROTOCOL
from mev_dagster.errors import DecodeError


@dataclass(frozen=True, slots=True)
class RouterFunction:
    """One of the router's swaps: which side is exact, and whether ether is sold."""

    signature: str
    exact_input: bool
    ether_in: bool = False

    @property
    def name(self) -> str:
        """Return the function's name without its arguments."""
        return self.signature.partition("(")[0]


_WITH_INPUT = "(uint256,uint256,address[],address,uint256)"
_WITH_VALUE = "(uint256,address[],address,uint256)"
_FEE = "SupportingFeeOnTransferTokens"

FUNCTIONS = (
    RouterFunction("swapExactTokensForTokens" + _WITH_INPUT, True),
    RouterFunction("swapTokensForExactTokens" + _WITH_INPUT, False),
    RouterFunction("swapExactETHForTokens" + _WITH_VALUE, True, ether_in=True),
    RouterFunction("swapETHForExactTokens" + _WITH_VALUE, False, ether_in=True),
    RouterFunction("swapExactTokensForETH" + _WITH_INPUT, True),
    RouterFunction("swapTokensForExactETH" + _WITH_INPUT, False),
    RouterFunction("swapExactTokensForTokens" + _FEE + _WITH_INPUT, True),
    RouterFunction("swapExactETHForTokens" + _FEE + _WITH_VALUE, True, ether_in=True),
    RouterFunction("swapExactTokensForETH" + _FEE + _WITH_INPUT, True),
)


def decode_call(function: RouterFunction, data: bytes, value_wei: int) -> SwapIntent:
    """Return the swap this calldata asks for."""
    arguments = data[4:]
    amounts = 1 if function.ether_in else 2
    path = address_array(arguments, amounts)
    if len(path) < 2:
        raise DecodeError("router_path_too_short", f"{len(path)} tokens")
    if function.ether_in:
        amount_in, amount_out = value_wei, word(arguments, 0)
    elif function.exact_input:
        amount_in, amount_out = word(arguments, 0), word(arguments, 1)
    else:
        amount_out, amount_in = word(arguments, 0), word(arguments, 1)
    return SwapIntent(
        PROTOCOL,
        function.name,
        function.exact_input,
        amount_in,
        amount_out,
        path,
        address(arguments, amounts + 1),
        word(arguments, amounts + 2),
    )


INTENTS: Mapping[bytes, Callable[[bytes, int], SwapIntent]] = {
    selector(function.signature): partial(decode_call, function) for function in FUNCTIONS
}
