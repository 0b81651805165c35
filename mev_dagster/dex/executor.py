"""The calldata of the executor, the searcher's own contract (its source is demo/contracts/executor.vy).

`execute(steps, token, min_profit, coinbase_payment_wei)`: run pair swaps in order, then revert unless the
executor holds at least `min_profit` more of `token` than before.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mev_dagster.dex.abi import WORD, encode_words, selector
from mev_dagster.dex.venue import PairSwap, PoolCall
from mev_dagster.errors import Unquotable
from mev_dagster.hexadecimal import to_hex

EXECUTE = selector("execute((address,address,uint256,uint256,uint256,address)[],address,uint256,uint256)")
MAX_STEPS = 8


class SwapStep(NamedTuple):
    """One swap. With `amount_in` 0 the pair has been paid already, by the step before."""

    pair: bytes
    token_in: bytes
    amount_in: int
    amount0_out: int
    amount1_out: int
    to: bytes


def encode_execute(
    steps: Sequence[SwapStep], token: bytes, min_profit: int = 0, coinbase_payment_wei: int = 0
) -> bytes:
    """Return the calldata that runs `steps` and keeps at least `min_profit` of `token`."""
    if not 0 < len(steps) <= MAX_STEPS:
        raise ValueError(f"the executor takes 1 to {MAX_STEPS} steps, not {len(steps)}")
    offset_of_steps = 4 * WORD
    head: list[int | bytes] = [offset_of_steps, token, min_profit, coinbase_payment_wei, len(steps)]
    return EXECUTE + encode_words(head) + b"".join(encode_words(step) for step in steps)


def step_of(call: PoolCall | PairSwap, token_in: bytes, paid_here: int) -> SwapStep:
    """Return the step that makes a pool's call; `paid_here` is 0 where the step before has paid the pool.

    Raises `Unquotable` for a pool that is called in another way than the executor calls.
    """
    if not isinstance(call, PairSwap):
        raise Unquotable(f"the executor cannot call {to_hex(call.to)} with {to_hex(call.data[:4])}")
    return SwapStep(call.to, token_in, paid_here, call.amount0_out, call.amount1_out, call.recipient)
