"""Bidding strategies by the names that settings use, each made from its options.

A package adds one under the entry-point group `mev_dagster.bids`: a function that takes its options and
returns a `BidStrategy`. Options are integers in wei, basis points or milliseconds, as their names say.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from mev_dagster import plugins
from mev_dagster.errors import InputError
from mev_dagster.pbs.bidding import BidContext, BidStrategy, FixedMargin, Outbid, Subsidised, Timed, TrueValue
from mev_dagster.plugins import Plugin
from mev_dagster.settings import RelayItem
from mev_dagster.settings.items import Option

Maker = Callable[..., BidStrategy]


class NoBid:
    """Offer nothing: a strategy that could not be loaded costs the bid, not the block's run."""

    def bid(self, context: BidContext) -> int | None:
        """Return no bid."""
        return None


class GuardedBid:
    """A strategy of another package: where it raises, never ends or names no amount, nothing is offered."""

    def __init__(self, plugin: Plugin[Maker], options: Mapping[str, int]) -> None:
        self._plugin, self._options = plugin, options
        self._made: BidStrategy | None = None

    def bid(self, context: BidContext) -> int | None:
        """Return the strategy's bid, None where it fails; the failure is logged and counted."""
        return plugins.tried(self._plugin, lambda make: self._asked(make, context), None)

    def _asked(self, make: Maker, context: BidContext) -> int | None:
        if self._made is None:
            self._made = make(**self._options)
        offered = self._made.bid(context)
        if offered is not None and (not isinstance(offered, int) or isinstance(offered, bool)):
            raise TypeError(f"expected a bid in wei or None, found {offered!r:.80}")
        return offered


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
    makers: dict[str, Plugin[Maker]] = {plugin.name: plugin for plugin in plugins.load("bids")}
    if any(failure.name == name for failure in plugins.left_out("bids")) and name not in makers:
        return NoBid()
    if name not in makers:
        nearest = get_close_matches(name, makers, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else f"; there are {', '.join(sorted(makers))}"
        raise InputError(f"bidding strategy {name!r} is not known{hint}")
    arguments = {option: _integer(name, option, value) for option, value in options.items()}
    try:
        inspect.signature(makers[name].hook).bind(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"bidding strategy {name}: {error}") from error
    if makers[name].package == plugins.OURS:
        return makers[name].hook(**arguments)
    return GuardedBid(makers[name], arguments)


def strategies_of(items: Iterable[RelayItem]) -> dict[str, BidStrategy]:
    """Return each relay's strategy by the relay's name; relays that are told the same share one."""
    made: dict[tuple[str, tuple[tuple[str, Option], ...]], BidStrategy] = {}
    found: dict[str, BidStrategy] = {}
    for item in items:
        told = item.strategy, tuple(sorted(item.options.items()))
        if told not in made:
            made[told] = bid_strategy(item.strategy, item.options)
        found[item.name] = made[told]
    return found


def _integer(name: str, option: str, value: str | int | float | bool) -> int:
    """Amounts past TOML's integers are decimal strings; no float is money."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 78:
        return int(value)
    raise InputError(f"bidding strategy {name}: {option} is {value!r}, expected an integer from 0 on")
