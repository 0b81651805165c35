"""What a sandwich cost its victims: what their swaps would have bought had nobody bought before them.

Told where it can be told exactly: in a constant-product pool whose reserves its own logs state, and whose
answers to the victims the formula reproduces to the wei.
"""

from bisect import bisect_left
from typing import TypeAlias

from mev_dagster.dex.constant_product import STANDARD_FEE, Hop, amount_out
from mev_dagster.dex.events import events_of
from mev_dagster.dex.venue_events import ReservesEvent
from mev_dagster.labels.leg import Legs
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.value import Amounts
from mev_dagster.labels.view import LandedView

_Stated: TypeAlias = dict[bytes, list[tuple[int, tuple[int, ...]]]]
"""Reserves by pool, with the positions of the logs that state them."""


def losses_of(legs: Legs, view: LandedView) -> dict[LandedSwap, Amounts]:
    """Return what every victim bought less; a victim is left out where it cannot be told."""
    told: dict[int, _Stated] = {}
    standing = _reserves_before(legs.fronts[0], view, told)
    if standing is None:
        return {}
    reserve_in, reserve_out = standing
    found: dict[LandedSwap, Amounts] = {}
    for victim in legs.victims:
        before = _reserves_before(victim, view, told)
        if victim.tx_index > legs.backs[0].tx_index:
            break  # part of the stock was back in the pool: another question
        if before is None or _bought(victim, before) != victim.amount_out:
            break
        alone = _bought(victim, (reserve_in, reserve_out))
        reserve_in, reserve_out = reserve_in + victim.amount_in, reserve_out - alone
        found[victim] = ((victim.token_out, alone - victim.amount_out),)
    return found


def _stated(view: LandedView, index: int) -> _Stated:
    found: _Stated = {}
    for position, event in events_of(view.block.txs[index].logs):
        if isinstance(event, ReservesEvent):
            found.setdefault(event.pool, []).append((position, event.reserves))
    return found


def _bought(swap: LandedSwap, reserves: tuple[int, int]) -> int:
    return amount_out(swap.amount_in, Hop(*reserves, STANDARD_FEE))


def _reserves_before(swap: LandedSwap, view: LandedView, told: dict[int, _Stated]) -> tuple[int, int] | None:
    """Return what the pool held of the tokens sold and bought before a swap."""
    if swap.tx_index not in told:
        told[swap.tx_index] = _stated(view, swap.tx_index)
    stated = told[swap.tx_index].get(swap.pool, [])
    before = bisect_left(stated, swap.log_position, key=lambda one: one[0])
    if not before or len(stated[before - 1][1]) != 2:
        return None
    after0, after1 = stated[before - 1][1]
    after_in, after_out = (after0, after1) if swap.token_in < swap.token_out else (after1, after0)
    before_in = after_in - swap.amount_in
    return (before_in, after_out + swap.amount_out) if before_in > 0 else None
