"""Pools that keep what they sell in another account: what comes out of a pool's pocket is the pool's.

Maker's peg stability module takes dai itself, and its coin leaves a pocket that is no contract of its own. To
the flow the pocket is somebody who gave for nothing. An event alone is not believed: the pool must have taken
exactly what it says, given nothing of what it says it sold, and the pocket given exactly that and no more.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from mev_dagster.labels.flow import Movement
from mev_dagster.labels.swaps import LandedSwap


def out_of_pools(movements: Sequence[Movement], swaps: Iterable[LandedSwap]) -> tuple[Movement, ...]:
    """Return the movements with those out of a pocket as out of its pool."""
    taken = {(m.token, m.recipient, m.amount) for m in movements}
    given = {(m.token, m.sender) for m in movements}
    ends = Counter(account for m in movements for account in (m.sender, m.recipient))
    paying: dict[tuple[bytes, int], set[bytes]] = {}
    for movement in movements:
        if ends[movement.sender] == 1:
            paying.setdefault((movement.token, movement.amount), set()).add(movement.sender)
    pockets: dict[bytes, bytes] = {}
    for swap in swaps:
        silent = paying.get((swap.token_out, swap.amount_out), set())
        took = (swap.token_in, swap.pool, swap.amount_in) in taken
        if took and len(silent) == 1 and (swap.token_out, swap.pool) not in given:
            pockets[min(silent)] = swap.pool
    return tuple(m._replace(sender=pockets.get(m.sender, m.sender)) for m in movements)
