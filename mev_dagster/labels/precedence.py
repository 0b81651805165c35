"""Which kind a transaction is labelled as where several would do. The list below is all there is to it.

A sandwich's back-run often closes a cycle, liquidity is often added inside a sandwich, and a liquidator sells
what it seized: none of these is labelled twice.
"""

from collections.abc import Iterable, Mapping, Sequence

from mev_dagster.errors import InputError
from mev_dagster.labels.value import Label

PAIRS: tuple[tuple[str, str], ...] = (
    ("sandwich", "jit"),
    ("jit", "liquidation"),
    ("liquidation", "arbitrage"),
    ("sandwich", "cex_dex"),
    ("arbitrage", "suspect"),
    ("cex_dex", "suspect"),
)
"""(wins, yields). What wins over a winner wins too: a sandwich over an arbitrage."""


def winners(pairs: Iterable[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    """Return, for every kind that yields to another, all the kinds that win over it.

    A circle has no winner and is refused.
    """
    over: dict[str, set[str]] = {}
    for wins, yields in pairs:
        over.setdefault(yields, set()).add(wins)
    closed = {kind: _reached(kind, over) for kind in sorted(over)}
    circles = [kind for kind, above in closed.items() if kind in above]
    if circles:
        raise InputError(f"precedence of labels: {', '.join(circles)} win over themselves")
    return closed


def _reached(kind: str, over: Mapping[str, set[str]]) -> frozenset[str]:
    reached: set[str] = set()
    ahead = sorted(over.get(kind, ()))
    while ahead:
        above = ahead.pop()
        if above not in reached:
            reached.add(above)
            ahead.extend(sorted(over.get(above, ())))
    return frozenset(reached)


def kept(labels: Sequence[Label], over: Mapping[str, frozenset[str]]) -> tuple[Label, ...]:
    """Return the labels that share no own transaction with one of a kind that wins over theirs."""
    own: dict[str, set[bytes]] = {}
    for label in labels:
        own.setdefault(label.kind, set()).update(label.tx_hashes)
    return tuple(
        label
        for label in labels
        if not any(
            own.get(above, frozenset()).intersection(label.tx_hashes)
            for above in over.get(label.kind, frozenset())
        )
    )
