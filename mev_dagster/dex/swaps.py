"""What a swap is, whichever pool made it: two signed amounts seen from the pool."""

from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """How a pool quotes."""

    UNISWAP_V2 = "uniswap_v2"
    UNISWAP_V3 = "uniswap_v3"


@dataclass(frozen=True, slots=True)
class SwapEvent:
    """One Swap log. `amount0` and `amount1` are what the pool gained (negative: paid out).

    `sender` called the pool, `recipient` got the output, as the event says.
    """

    protocol: Protocol
    pool: bytes
    sender: bytes
    recipient: bytes
    amount0: int
    amount1: int

    @property
    def zero_for_one(self) -> bool:
        """Say whether token0 was sold for token1."""
        return self.amount0 > 0

    @property
    def amount_in(self) -> int:
        """Return what the pool took."""
        return self.amount0 if self.zero_for_one else self.amount1

    @property
    def amount_out(self) -> int:
        """Return what the pool gave."""
        return -self.amount1 if self.zero_for_one else -self.amount0
