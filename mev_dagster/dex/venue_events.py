"""What the logs of venues say, whichever venue wrote them. Amounts are the pool's own accounting."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class SwapEvent:
    """One swap. `amount0` and `amount1` are what the pool gained (negative: paid out).

    `sender` called the pool, `recipient` got the output, as the event says. `tokens` are token0 and token1
    where the event names them; elsewhere the transfers around it do. `pool_id` tells the pools of one
    contract apart. Without `by_address` the amounts are of what was sold and bought, not of the
    tokens in the order of their addresses. `maker` is whose quote was filled, where no pool trades.
    """

    protocol: str
    pool: bytes
    sender: bytes
    recipient: bytes
    amount0: int
    amount1: int
    tokens: tuple[bytes, bytes] | None = None
    pool_id: bytes = b""
    fee_ppm: int | None = None
    by_address: bool = True
    maker: bytes | None = None

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


@dataclass(frozen=True, slots=True)
class ReservesEvent:
    """The reserves a pool holds from here on, in the order of its tokens."""

    protocol: str
    pool: bytes
    reserves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LiquidityEvent:
    """Liquidity added (`amounts` positive) or taken; `position` tells one owner's stakes apart."""

    protocol: str
    pool: bytes
    owner: bytes
    position: tuple[bytes, ...]
    liquidity: int
    amounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FlashLoanEvent:
    """Amounts lent and given back with `fees` within one transaction, in the order of the pool's tokens."""

    protocol: str
    pool: bytes
    borrower: bytes
    amounts: tuple[int, ...]
    fees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LiquidationEvent:
    """A debt of `borrower` repaid by `liquidator`, who took collateral for it."""

    protocol: str
    market: bytes
    borrower: bytes
    liquidator: bytes
    debt_token: bytes
    debt_repaid: int
    collateral_token: bytes
    collateral_taken: int


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """A signed order was filled through `settlement`; `maker` is None where the log does not say whose.

    Who fills it trades with the maker, whom no pool's event names.
    """

    protocol: str
    settlement: bytes
    maker: bytes | None


@dataclass(frozen=True, slots=True)
class PoolCreated:
    """A factory made a pool of these tokens; `hooks` is the contract that may change what it does."""

    protocol: str
    pool: bytes
    factory: bytes
    tokens: tuple[bytes, ...]
    pool_id: bytes = b""
    hooks: bytes = bytes(20)


VenueEvent: TypeAlias = (
    SwapEvent | ReservesEvent | LiquidityEvent | FlashLoanEvent | LiquidationEvent | OrderFilled | PoolCreated
)
