"""Bidding strategies by the names that settings use, each made from its options.

A package adds one under the entry-point group `mev_dagster.bids`: a function that takes its options and
returns a `BidStrategy`. Options are integers in wei, basis points or milliseconds, as their names say.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from mev_dagster import plugins
from mev_dagster.errors import InputError
from mev_dagster.pbs.bidding import BidStrategy, FixedMargin, Outbid, Subsidised, Timed, TrueValue

Maker = Callable[..., BidStrategy]


def true_value() -> BidStrategy:
    """Offer everything."""
    return TrueValue()


def fixed_margin(share_bps: int = 0, amount_wei: int = 0) -> BidStrategy:
    """Keep a share of the value and a fixed amount."""
    return FixedMargin(share_bps, amount_wei)


def outbid(increment_wei: int = 1, min_margin_wei: int = 0) -> BidStrategy:
    """Offer just more than the best known bid, and never the last margin."""
    return Outbid(increment_wei, min_margin_wei)


def timed(first_share_bps: int, last_share_bps: int = 0, cutoff_ms: int = 3_000) -> BidStrategy:
    """Keep less and less as the slot goes on."""
    return Timed(first_share_bps, last_share_bps, cutoff_ms)


def subsidised(cap_wei: int, share_bps: int = 0, amount_wei: int = 0) -> BidStrategy:
    """Keep a margin, and give up to a cap of the builder's own money where that wins."""
    return Subsidised(FixedMargin(share_bps, amount_wei), cap_wei)


def bid_strategy(name: str, options: Mapping[str, str | int | float | bool]) -> BidStrategy:
    """Return the strategy of this name; `InputError` names what is not known or not usable."""
    makers: dict[str, Maker] = {plugin.name: plugin.hook for plugin in plugins.load("bids")}
    if name not in makers:
        nearest = get_close_matches(name, makers, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else f"; there are {', '.join(sorted(makers))}"
        raise InputError(f"bidding strategy {name!r} is not known{hint}")
    arguments = {option: _integer(name, option, value) for option, value in options.items()}
    try:
        inspect.signature(makers[name]).bind(**arguments)
    except TypeError as error:
        raise InputError(f"bidding strategy {name}: {error}") from error
    return makers[name](**arguments)


def shared_strategy(told: Iterable[tuple[str, Mapping[str, str | int | float | bool]]]) -> BidStrategy:
    """Return the one strategy that all relays name: they are offered the same block, and so the same bid."""
    named = list(dict.fromkeys((name, tuple(sorted(options.items()))) for name, options in told))
    if len(named) != 1:
        names = ", ".join(name for name, _ in named)
        raise InputError(f"relays are offered one block: expected one bidding strategy, found {names}")
    return bid_strategy(named[0][0], dict(named[0][1]))


def _integer(name: str, option: str, value: str | int | float | bool) -> int:
    """Amounts past TOML's integers are decimal strings; no float is money."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 78:
        return int(value)
    raise InputError(f"bidding strategy {name}: {option} is {value!r}, expected an integer from 0 on")
