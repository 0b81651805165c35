"""What tokens are worth in wei, by the block's own trades.

A token's price is what ether was given for it in the block, all in all, over what of it that was; where
nobody traded it for ether, the same through the one token between that was traded most. Only trades whose
pool took and gave exactly what its event says count, and nothing is worth more than the ether that was given
for all of it: a token that its owner traded with himself for a little is worth no more than that little.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mev_dagster.labels.flow import Movement
from mev_dagster.labels.swaps import LandedSwap


class Traded(NamedTuple):
    """So much of one token was traded for so much of another."""

    amount: int = 0
    other: int = 0


class Price(NamedTuple):
    """`wei` was given for `amount` of a token; `through` is the token between, None where there is none."""

    amount: int
    wei: int
    through: bytes | None = None

    def wei_of(self, amount: int) -> int:
        """Return what an amount is worth, rounded towards nothing and never more than was given for all."""
        worth = min(abs(amount) * self.wei // self.amount, self.wei)
        return worth if amount >= 0 else -worth


class Flows(Protocol):
    """Where the movements of a transaction are told."""

    def moved_in(self, index: int) -> Iterable[Movement]:
        """Return what moved in one transaction."""
        ...


@dataclass(slots=True)
class Prices:
    """The prices of a block, each worked out once."""

    ether: bytes | None
    _pairs: dict[bytes, dict[bytes, Traded]] = field(default_factory=dict)
    _known: dict[bytes, Price | None] = field(default_factory=dict)

    def of(self, token: bytes) -> Price | None:
        """Return a token's price, None where the block does not tell it."""
        if token == self.ether:
            return Price(1, 1)
        if token not in self._known:
            self._known[token] = self._direct(token) or self._through_another(token)
        return self._known[token]

    def wei_of(self, token: bytes, amount: int) -> int | None:
        """Return what an amount of a token is worth; ether is worth itself."""
        if token == self.ether:
            return amount
        price = self.of(token)
        return price.wei_of(amount) if price else None

    def _direct(self, token: bytes) -> Price | None:
        found = self._pairs.get(token, {}).get(self.ether or b"")
        return Price(*found) if found else None

    def _through_another(self, token: bytes) -> Price | None:
        ways = []
        for other, traded in self._pairs.get(token, {}).items():
            price = self._direct(other)
            if price is not None:
                ways.append(Price(traded.amount, price.wei_of(traded.other), other))
        best = max(ways, key=lambda one: (one.wei, one.through), default=None)
        return best if best and best.wei else None


def prices_of(swaps: Iterable[LandedSwap], flows: Flows, ether: bytes | None) -> Prices:
    """Read the trades of a block."""
    pairs: dict[bytes, dict[bytes, Traded]] = {}
    ends: dict[int, frozenset[tuple[bytes, bytes, int, bool]]] = {}
    for swap in swaps:
        if swap.tx_index not in ends:
            ends[swap.tx_index] = _ends(flows.moved_in(swap.tx_index))
        took = (swap.pool, swap.token_in, swap.amount_in, True)
        gave = (swap.pool, swap.token_out, swap.amount_out, False)
        if {took, gave} <= ends[swap.tx_index]:
            _add(pairs, swap.token_in, swap.amount_in, swap.token_out, swap.amount_out)
            _add(pairs, swap.token_out, swap.amount_out, swap.token_in, swap.amount_in)
    return Prices(ether, pairs)


def _ends(movements: Iterable[Movement]) -> frozenset[tuple[bytes, bytes, int, bool]]:
    return frozenset(
        end
        for token, sender, recipient, amount in movements
        for end in ((sender, token, amount, False), (recipient, token, amount, True))
    )


def _add(
    pairs: dict[bytes, dict[bytes, Traded]], token: bytes, amount: int, other: bytes, given: int
) -> None:
    own = pairs.setdefault(token, {})
    so_far = own.get(other, Traded())
    own[other] = Traded(so_far.amount + amount, so_far.other + given)
