"""The arithmetic of a pool that keeps the product of its two reserves: exact, on integers of any size.

The formulas are those of `UniswapV2Library`. A fee is kept as the fraction of the input that trades
(997/1000), because that is how the contracts write it.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Fee(NamedTuple):
    """The fraction of the input that trades."""

    numerator: int = 997
    denominator: int = 1000


STANDARD_FEE = Fee()


class Hop(NamedTuple):
    """One pool crossed in one direction."""

    reserve_in: int
    reserve_out: int
    fee: Fee


def amount_out(amount_in: int, hop: Hop) -> int:
    """Return the most that `amount_in` buys (`getAmountOut`)."""
    traded = amount_in * hop.fee.numerator
    return traded * hop.reserve_out // (hop.reserve_in * hop.fee.denominator + traded)


def amount_in(wanted_out: int, hop: Hop) -> int:
    """Return what the router asks for `wanted_out` (`getAmountIn`): never less than the least that does."""
    _check_depth(wanted_out, hop)
    numerator = hop.reserve_in * wanted_out * hop.fee.denominator
    return numerator // ((hop.reserve_out - wanted_out) * hop.fee.numerator) + 1


def least_amount_in(wanted_out: int, hop: Hop) -> int:
    """Return the least input that buys `wanted_out`; the router's own rounding may ask for one more."""
    _check_depth(wanted_out, hop)
    numerator = hop.reserve_in * wanted_out * hop.fee.denominator
    return -(-numerator // ((hop.reserve_out - wanted_out) * hop.fee.numerator))


def amounts_along(first_in: int, hops: Sequence[Hop]) -> tuple[int, ...]:
    """Return the input followed by the output of every hop (`getAmountsOut`)."""
    amounts = [first_in]
    for hop in hops:
        amounts.append(amount_out(amounts[-1], hop))
    return tuple(amounts)


def _check_depth(wanted_out: int, hop: Hop) -> None:
    if not 0 <= wanted_out < hop.reserve_out:
        raise ValueError(f"cannot take {wanted_out} out of a reserve of {hop.reserve_out}")
