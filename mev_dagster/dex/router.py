"""Calls to a Uniswap V2 router, as the pending transaction states them.

Recognised by function, not by the router's address: every fork deployed its own router with these signatures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mev_dagster.dex.abi import address, address_array, selector, word
from mev_dagster.errors import DecodeError


@dataclass(frozen=True, slots=True)
class RouterFunction:
    """One of the router's swaps: which side is exact, and which side is ether."""

    signature: str
    exact_input: bool
    ether_in: bool = False
    ether_out: bool = False

    @property
    def name(self) -> str:
        """Return the function's name without its arguments."""
        return self.signature.partition("(")[0]


_WITH_INPUT = "(uint256,uint256,address[],address,uint256)"
_WITH_VALUE = "(uint256,address[],address,uint256)"
_FEE = "SupportingFeeOnTransferTokens"

FUNCTIONS: Mapping[bytes, RouterFunction] = {
    selector(function.signature): function
    for function in (
        RouterFunction("swapExactTokensForTokens" + _WITH_INPUT, True),
        RouterFunction("swapTokensForExactTokens" + _WITH_INPUT, False),
        RouterFunction("swapExactETHForTokens" + _WITH_VALUE, True, ether_in=True),
        RouterFunction("swapETHForExactTokens" + _WITH_VALUE, False, ether_in=True),
        RouterFunction("swapExactTokensForETH" + _WITH_INPUT, True, ether_out=True),
        RouterFunction("swapTokensForExactETH" + _WITH_INPUT, False, ether_out=True),
        RouterFunction("swapExactTokensForTokens" + _FEE + _WITH_INPUT, True),
        RouterFunction("swapExactETHForTokens" + _FEE + _WITH_VALUE, True, ether_in=True),
        RouterFunction("swapExactTokensForETH" + _FEE + _WITH_INPUT, True, ether_out=True),
    )
}


@dataclass(frozen=True, slots=True)
class RouterCall:
    """A decoded swap. `amount_in` and `amount_out` are exact on one side, the worst accepted on the other."""

    function: RouterFunction
    amount_in: int
    amount_out: int
    path: tuple[bytes, ...]
    recipient: bytes
    deadline: int


def decode_router_call(data: bytes, value_wei: int) -> RouterCall | None:
    """Return the swap this calldata asks for, None when it calls something else.

    Raises `DecodeError` when the function is a router's swap but its arguments are not.
    """
    function = FUNCTIONS.get(data[:4])
    if function is None:
        return None
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
    return RouterCall(
        function,
        amount_in,
        amount_out,
        path,
        address(arguments, amounts + 1),
        word(arguments, amounts + 2),
    )
