"""The play, slot by slot: who does what that is worth telling. Everything between is noise from a seed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mev_dagster.demo.market import WETH


class Move(StrEnum):
    """What the rival searcher does to the first whale of a slot."""

    SANDWICH = "sandwich"
    BACKRUN = "backrun"


class Extra(StrEnum):
    """Transactions of a kind that the noise does not bring."""

    BLOB = "blob"
    DELEGATION = "delegation"
    REPLACEMENT = "replacement"
    OVERDRAFT = "overdraft"
    FAILING_SWAP = "failing swap"
    ADD_LIQUIDITY = "add liquidity"
    DEPLOYMENT = "deployment"


class WhaleSwap(NamedTuple):
    """A whale's swap: a share of the first pool's reserve, and how far below the quote it may end."""

    venue: str
    path: tuple[str, ...]
    per_mille: int
    slippage_bps: int


@dataclass(frozen=True, slots=True)
class Act:
    """One slot."""

    orders: tuple[WhaleSwap, ...] = ()
    rival: Move | None = None
    extras: tuple[Extra, ...] = ()


UNPROTECTED_BPS = 10_000

# The keeper closes what gap a slot leaves at the top of the next one; so every gap is somebody's news once.
SCRIPT: tuple[Act, ...] = (
    Act(extras=(Extra.FAILING_SWAP,)),
    # A careless buyer: room for a sandwich, and a gap to the other venue afterwards. Nobody takes either.
    Act(orders=(WhaleSwap("north", (WETH, "ALPHA"), 80, 1_500),), extras=(Extra.REPLACEMENT,)),
    Act(extras=(Extra.BLOB,)),
    # The only pool of GAMMA: a sandwich leaves no gap for an arbitrage.
    Act(
        orders=(WhaleSwap("north", (WETH, "GAMMA"), 100, 2_000),),
        rival=Move.SANDWICH,
        extras=(Extra.FAILING_SWAP, Extra.DELEGATION),
    ),
    # An unprotected seller: the rival closes the gap right behind it.
    Act(orders=(WhaleSwap("south", ("BETA", WETH), 90, UNPROTECTED_BPS),), rival=Move.BACKRUN),
    # A pool that only one venue has: the gap closes over three pools.
    Act(orders=(WhaleSwap("north", ("USD", "ALPHA"), 90, 1_500),), extras=(Extra.REPLACEMENT,)),
    Act(extras=(Extra.FAILING_SWAP, Extra.OVERDRAFT)),
    # Two at once: the rival takes the first and leaves the second.
    Act(
        orders=(WhaleSwap("north", (WETH, "BETA"), 110, 1_800), WhaleSwap("south", (WETH, "USD"), 60, 1_200)),
        rival=Move.SANDWICH,
    ),
    Act(extras=(Extra.ADD_LIQUIDITY, Extra.BLOB)),
    Act(extras=(Extra.REPLACEMENT, Extra.DELEGATION)),
    # Large but protected: hardly worth a sandwich, and still it leaves a gap behind it.
    Act(orders=(WhaleSwap("south", (WETH, "ALPHA"), 70, 30),), extras=(Extra.DEPLOYMENT,)),
    Act(orders=(WhaleSwap("south", (WETH, "USD"), 80, 1_500),), rival=Move.SANDWICH),
    Act(orders=(WhaleSwap("north", (WETH, "USD", "ALPHA"), 40, 1_000),), extras=(Extra.FAILING_SWAP,)),
    Act(
        orders=(WhaleSwap("south", (WETH, "BETA"), 130, 2_500),),
        extras=(Extra.ADD_LIQUIDITY, Extra.REPLACEMENT),
    ),
    Act(
        orders=(WhaleSwap("north", ("ALPHA", WETH), 90, UNPROTECTED_BPS),),
        rival=Move.BACKRUN,
        extras=(Extra.BLOB,),
    ),
    Act(extras=(Extra.FAILING_SWAP,)),
)
