"""What a strategy proposes: pending transactions and calls of our own, in order, not yet signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.executor import SwapStep, encode_execute
from mev_dagster.dex.graph import Cycle
from mev_dagster.dex.venues.uniswap_v2 import Pair


class Kind(StrEnum):
    """What a candidate does."""

    ARBITRAGE = "arbitrage"
    BACKRUN = "backrun"
    SANDWICH = "sandwich"


@dataclass(frozen=True, slots=True)
class OwnCall:
    """One call of our executor: swaps, and the least gain in `token` below which it takes them back."""

    steps: tuple[SwapStep, ...]
    token: bytes
    min_gain: int

    @property
    def calldata(self) -> bytes:
        """Return the call as the executor reads it."""
        return encode_execute(self.steps, self.token, self.min_gain)


Item: TypeAlias = Transaction | OwnCall


@dataclass(frozen=True, slots=True)
class Plan:
    """A candidate before it is signed and executed.

    `size_wei` is the wrapped ether put in, `expected_profit_wei` what the formulas say comes back above it,
    before gas. `venues` and `tokens` follow the route.
    """

    kind: Kind
    strategy: str
    items: tuple[Item, ...]
    venues: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    size_wei: int
    expected_profit_wei: int

    @property
    def pending(self) -> tuple[Transaction, ...]:
        """Return the pending transactions it builds on, in order."""
        return tuple(item for item in self.items if isinstance(item, Transaction))

    @property
    def own_calls(self) -> tuple[OwnCall, ...]:
        """Return our own calls, in order."""
        return tuple(item for item in self.items if isinstance(item, OwnCall))


def cycle_call(cycle: Cycle, pairs: Sequence[Pair], amounts: Sequence[int], executor: bytes) -> OwnCall:
    """Return the call that runs a cycle: each pair pays the next, only the last pays us back."""
    receivers = [*(leg.pair for leg in cycle[1:]), executor]
    steps = []
    for position, (leg, pair, receiver) in enumerate(zip(cycle, pairs, receivers, strict=True)):
        outputs = pair.outputs(pair.other(leg.token_in), amounts[position + 1])
        paid = amounts[0] if position == 0 else 0
        steps.append(SwapStep(leg.pair, leg.token_in, paid, *outputs, receiver))
    return OwnCall(tuple(steps), cycle[0].token_in, amounts[-1] - amounts[0])


def route_tokens(cycle: Cycle) -> tuple[bytes, ...]:
    """Return the tokens a cycle sells, in order, and the one it ends with."""
    return (*(leg.token_in for leg in cycle), cycle[0].token_in)
