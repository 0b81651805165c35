"""What another package's venue says, held against the contract of `venue.py` before anything uses it.

Each function returns what it was given, or raises an error that names what is wrong with it.
"""

from dataclasses import fields
from typing import Any, TypeVar, get_args

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.constant_product import Hop
from mev_dagster.dex.venue import PairSwap, Pool, PoolCall, SwapIntent
from mev_dagster.dex.venue_events import VenueEvent

Value = TypeVar("Value")

ADDRESS_BYTES = 20
MOST = 1 << 256
_OF_ADDRESSES = frozenset(
    {
        *("pool", "sender", "recipient", "owner", "borrower", "market", "liquidator"),
        *("debt_token", "collateral_token", "factory", "tokens", "path", "hooks"),
        *("maker", "settlement"),
    }
)
_OF_WORDS = frozenset({"protocol", "method"})
_FLAGS = frozenset({"exact_input", "by_address"})
_FREE = frozenset({"position"})
POOL_ID_BYTES = (0, 32)
"""A pool of a contract of its own has none."""


def an_event(found: Any) -> VenueEvent:
    """Check what a log was said to say."""
    event: VenueEvent = _of(get_args(VenueEvent), found)
    _check_fields(event)
    return event


def a_log(found: Any) -> Log | None:
    """Check what a call was said to have logged."""
    if found is None:
        return None
    log: Log = _of((Log,), found)
    _check("address", log.address, _is_address(log.address))
    _check("topics", log.topics, all(isinstance(one, bytes) and len(one) == 32 for one in log.topics))
    _check("data", log.data, isinstance(log.data, bytes) and bool(log.topics))
    return log


def an_intent(found: Any) -> SwapIntent:
    """Check what a call was said to ask for."""
    intent: SwapIntent = _of((SwapIntent,), found)
    _check_fields(intent)
    return intent


def a_pool(found: Any, address: bytes) -> Pool | None:
    """Check what was read at an address."""
    if found is None:
        return None
    pool: Pool = _of((Pool,), found)
    if pool.address != address:
        raise ValueError(f"expected the pool at {address.hex()}, found one at {pool.address!r}")
    for token in pool.tokens:
        _check("token", token, _is_address(token))
    _check("family", pool.family, type(pool.family) is str)
    _check("fee_ppm", pool.fee_ppm, _is_amount(pool.fee_ppm))
    return pool


def an_amount(found: Any) -> int:
    """Check what a pool was said to give."""
    _check("amount", found, _is_amount(found) and found >= 0)
    return int(found)


def a_hop(found: Any) -> Hop | None:
    """Check the reserves a formula was said to run on."""
    if found is None:
        return None
    hop: Hop = _of((Hop,), found)
    for amount in (hop.reserve_in, hop.reserve_out, *hop.fee):
        _check("reserve", amount, _is_amount(amount) and amount >= 0)
    return hop


def a_call(found: Any) -> PoolCall | PairSwap:
    """Check the call that was said to make a trade."""
    call: PoolCall | PairSwap = _of((PoolCall, PairSwap), found)
    _check("to", call.to, _is_address(call.to))
    return call


def _of(kinds: tuple[Any, ...], found: Any) -> Any:
    if not isinstance(found, kinds):
        raise TypeError(f"expected {' or '.join(kind.__name__ for kind in kinds)}, found {found!r:.80}")
    return found


def _check_fields(value: Any) -> None:
    for one in fields(value):
        found = getattr(value, one.name)
        for part in found if isinstance(found, tuple) else (found,):
            _check(one.name, part, found is None or _fits(one.name, part))


def _fits(name: str, part: Any) -> bool:
    if name in _FREE:
        return True
    if name in _OF_WORDS:
        return isinstance(part, str)
    if name in _FLAGS:
        return isinstance(part, bool)
    if name == "pool_id":
        return isinstance(part, bytes) and len(part) in POOL_ID_BYTES
    return _is_address(part) if name in _OF_ADDRESSES else _is_amount(part)


def _check(name: str, found: Any, holds: bool) -> None:
    if not holds:
        raise ValueError(f"{name} cannot be {found!r:.80}")


def _is_address(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == ADDRESS_BYTES


def _is_amount(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -MOST < value < MOST
