"""What a venue and a pool are: everything a new one has to say, on one screen.

A venue is a folder under `venues/` and a line in `mev_dagster/plugins.py` (in another package: an entry
point of the group `mev_dagster.venues`). It overrides what it has: one that is only labelled needs `events`,
one that is traded `family`, `read` and a `Pool` with an exact `quote`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.called import MadeCall
from mev_dagster.dex.constant_product import Hop
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent
from mev_dagster.errors import Unquotable
from mev_dagster.evm.types import StateSource
from mev_dagster.hexadecimal import to_hex


class ChainAt(Protocol):
    """The chain at one moment: stored state, and contracts that answer for themselves."""

    @property
    def state(self) -> StateSource:
        """Accounts, slots and codes; raises `MissingState` for what is not known."""
        ...

    def call(self, to: bytes, data: bytes) -> bytes:
        """Return what a contract's own code answers in the engine; raises `Unquotable` when it refuses."""
        ...


class SwapPayment(Enum):
    """How a pool is paid for a swap."""

    FIRST = "the input is in the pool before the call"
    CALLBACK = "the pool asks its caller for the input during the call"
    ALLOWANCE = "the pool takes the input from its caller, who allowed it"


class Trade(NamedTuple):
    """One swap through one pool, both amounts exact."""

    token_in: bytes
    token_out: bytes
    amount_in: int
    amount_out: int
    recipient: bytes


class PoolCall(NamedTuple):
    """The call that makes a trade."""

    to: bytes
    data: bytes
    payment: SwapPayment


class PairSwap(NamedTuple):
    """The call of a pool that is paid first and told what it gives: `swap(uint256,uint256,address,bytes)`.

    It is the one our executor makes.
    """

    to: bytes
    amount0_out: int
    amount1_out: int
    recipient: bytes


class PoolState(NamedTuple):
    """What the table `pool_states` keeps of a pool; None where a pool has no such thing."""

    reserve0: int | None = None
    reserve1: int | None = None
    sqrt_price_x96: int | None = None
    liquidity: int | None = None
    tick: int | None = None


class Pool(ABC):
    """One pool at one moment; it never changes, `after` gives the next moment.

    It has an `address`, a `family` that names whose fork it is ("sushiswap"), and `tokens`. It may have
    `slots`, the storage its quotes hang on, `fee_ppm`, what it keeps of an input, and `at`, its state as rows
    keep it. Fields, attributes and properties will do.
    """

    __slots__ = ()
    if TYPE_CHECKING:  # read-only, so that a frozen dataclass may have them as fields

        @property
        def address(self) -> bytes: ...  # noqa: D102
        @property
        def family(self) -> str: ...  # noqa: D102
        @property
        def tokens(self) -> tuple[bytes, ...]: ...  # noqa: D102
        @property
        def slots(self) -> tuple[tuple[bytes, int], ...]: ...  # noqa: D102
        @property
        def fee_ppm(self) -> int: ...  # noqa: D102
        @property
        def at(self) -> PoolState: ...  # noqa: D102
    else:
        slots, fee_ppm, at = (), 0, PoolState()

    @abstractmethod
    def quote(self, token_in: bytes, token_out: bytes, amount_in: int) -> int:
        """Return exactly what the pool gives for `amount_in`; raises `Unquotable` where it cannot tell."""

    def constant_product(self, token_in: bytes, token_out: bytes) -> Hop | None:
        """Return the reserves where the quote is the constant-product formula, so that sizes are closed."""
        return None

    def after(self, log: Log) -> "Pool | None":
        """Return the pool behind one of its logs; None when that must be read from the state behind it."""
        return None

    def call(self, trade: Trade) -> PoolCall | PairSwap:
        """Return the call that makes a trade; raises `Unquotable` where there is none that we could make."""
        raise Unquotable(f"{self.family} pool {to_hex(self.address)} is quoted and not called")


@dataclass(frozen=True, slots=True)
class SwapIntent:
    """What a pending call asks for. Amounts are exact on one side, the worst accepted on the other."""

    protocol: str
    method: str
    exact_input: bool
    amount_in: int
    amount_out: int
    path: tuple[bytes, ...]
    recipient: bytes
    deadline: int


class Venue:
    """One protocol. `name` is what labels and rows call it."""

    name: ClassVar[str]
    events: ClassVar[Mapping[bytes, Callable[[Log], VenueEvent]]] = {}
    """First topic, empty where a log has none → what such a log says; `DecodeError` when it only looks so."""
    calls: ClassVar[Mapping[bytes, Callable[[MadeCall], Log | None]]] = {}
    """Selector → the log such a call would have left, for traces that have none; `DecodeError` likewise."""
    intents: ClassVar[Mapping[bytes, Callable[[bytes, int], SwapIntent]]] = {}
    """Selector → what such a call (calldata, wei sent) asks for; `DecodeError` likewise."""
    slots: ClassVar[tuple[int, ...]] = ()
    """What `read` reads of every pool: fetched from a node together, before the pool is read."""

    def tokens(
        self, event: SwapEvent, moved: Sequence[bytes], calls: Sequence[bytes]
    ) -> tuple[bytes, bytes] | None:
        """Return token0 and token1 of a swap that does not name them; None where transfers must tell.

        `moved` are the tokens that moved in its transaction, `calls` the calldata, the outermost first. A
        zero address is ether. Without `moved` nothing is to be searched for: the block has had its share.
        """
        return None

    def family(self, code_hash: bytes, code: Callable[[], bytes]) -> str | None:
        """Return whose pools have this runtime code, None when they are not of this venue."""
        return None

    def read(self, chain: ChainAt, address: bytes, family: str) -> Pool | None:
        """Return the pool of a known family at an address, None when there is nothing to trade in it."""
        return None
