"""What a strategy proposes: pending transactions and calls of our own, in order, not yet signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.cycle import Cycle
from mev_dagster.dex.executor import SwapStep, encode_execute, step_of
from mev_dagster.dex.venue import Pool, Trade
from mev_dagster.hexadecimal import to_hex

GAS_OF_A_CALL = 60_000
GAS_OF_A_STEP = 250_000
"""Gas limits, well above what a swap needs; a limit costs nothing unless it is used."""

LEAST_GAS_OF_A_CALL = 80_000
"""No swap through the executor costs less; what cannot pay for this is not worth executing."""


@dataclass(frozen=True, slots=True)
class OwnCall:
    """Any call that our account makes; `least_gas` is what no execution of it can cost less than."""

    to: bytes
    calldata: bytes
    gas_limit: int
    value_wei: int = 0
    least_gas: int = 21_000

    @property
    def identity(self) -> Mapping[str, str]:
        """Return what the decision's id covers of it."""
        said = {"to": to_hex(self.to), "call": to_hex(self.calldata)}
        return {**said, "value_wei": str(self.value_wei)} if self.value_wei else said


@dataclass(frozen=True, slots=True)
class SwapsCall:
    """A call of our executor: swaps, and the least gain in `token` below which it takes them back."""

    executor: bytes
    steps: tuple[SwapStep, ...]
    token: bytes
    min_gain: int
    value_wei: int = 0
    least_gas: int = LEAST_GAS_OF_A_CALL

    @property
    def to(self) -> bytes:
        """Return the executor."""
        return self.executor

    @property
    def calldata(self) -> bytes:
        """Return the call as the executor reads it."""
        return encode_execute(self.steps, self.token, self.min_gain)

    @property
    def gas_limit(self) -> int:
        """Return enough gas for every step."""
        return GAS_OF_A_CALL + GAS_OF_A_STEP * len(self.steps)

    @property
    def identity(self) -> Mapping[str, str]:
        """Return what the decision's id covers: which executor of ours carries it out is no part of it."""
        return {"call": to_hex(self.calldata)}


Call: TypeAlias = OwnCall | SwapsCall
Item: TypeAlias = Transaction | Call


@dataclass(frozen=True, slots=True)
class Plan:
    """A candidate before it is signed and executed.

    `size_wei` is the wrapped ether put in, `expected_profit_wei` what the formulas say comes back above it,
    before gas. `venues` and `tokens` follow the route. `prize` tells apart what plans over a common pool
    take: those with a common part exclude each other, and the empty one is the price gap of the pools.
    `moves` are the pools that its pending transactions change; the search fills them in.
    """

    kind: str
    strategy: str
    items: tuple[Item, ...]
    venues: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    size_wei: int
    expected_profit_wei: int
    prize: tuple[bytes, ...] = ()
    moves: tuple[bytes, ...] = ()

    @property
    def pending(self) -> tuple[Transaction, ...]:
        """Return the pending transactions it builds on, in order."""
        return tuple(item for item in self.items if isinstance(item, Transaction))

    @property
    def own_calls(self) -> tuple[Call, ...]:
        """Return our own calls, in order."""
        return tuple(item for item in self.items if not isinstance(item, Transaction))


def cycle_call(cycle: Cycle, pools: Sequence[Pool], amounts: Sequence[int], executor: bytes) -> SwapsCall:
    """Return the call that runs a cycle: every pool pays the next, only the last pays us.

    Raises `Unquotable` when the executor cannot make one of the calls.
    """
    first_in = cycle[0].token_in
    steps: list[SwapStep] = []
    paid_here = amounts[0]
    for position, (leg, pool) in enumerate(zip(cycle, pools, strict=True)):
        following = cycle[position + 1].pool if position + 1 < len(cycle) else executor
        trade = Trade(leg.token_in, leg.token_out, amounts[position], amounts[position + 1], following)
        steps.append(step_of(pool.call(trade), leg.token_in, paid_here))
        paid_here = 0
    return SwapsCall(executor, tuple(steps), first_in, amounts[-1] - amounts[0])


def route_tokens(cycle: Cycle) -> tuple[bytes, ...]:
    """Return the tokens a cycle sells, in order, and the one it ends with."""
    return (*(leg.token_in for leg in cycle), cycle[0].token_in)
