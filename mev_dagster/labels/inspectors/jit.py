"""Just-in-time liquidity: a V3 position minted before other people's swaps and burned right after them."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mev_dagster.dex.abi import topic, word
from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.landed import LandedBlock
from mev_dagster.labels.swaps import LandedSwap, swap_to_json
from mev_dagster.labels.value import Confidence, Label, Victim
from mev_dagster.labels.view import LandedView

MINT_TOPIC = topic("Mint(address,address,int24,int24,uint128,uint256,uint256)")
BURN_TOPIC = topic("Burn(address,int24,int24,uint128,uint256,uint256)")

_SHAPES = {MINT_TOPIC: (128, 1), BURN_TOPIC: (96, 0)}
"""Bytes of data, and which word of it is the liquidity. Owner and ticks are topics."""


class _Change(NamedTuple):
    """Liquidity added to or taken from one position: pool, owner and ticks name it."""

    tx_index: int
    position: tuple[bytes, bytes, bytes, bytes]
    liquidity: int


@dataclass(frozen=True, slots=True)
class Position:
    """A position that lived for a few swaps."""

    mint_tx_hash: bytes
    burn_tx_hash: bytes
    victims: tuple[LandedSwap, ...]
    pool: bytes
    owner: bytes
    liquidity: int

    def to_json(self) -> Mapping[str, Any]:
        """Return where it was, whose it was and the swaps it served."""
        return {
            "mint": self.mint_tx_hash,
            "burn": self.burn_tx_hash,
            "victims": [swap_to_json(swap) for swap in self.victims],
            "pool": self.pool,
            "owner": self.owner,
        }


class JitLiquidity(Inspector):
    """Finds the positions that were minted and burned around somebody's swaps in their pool."""

    kind = "jit"
    plural = "jit"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield them in the order of their mints."""
        burns: dict[tuple[object, ...], deque[_Change]] = {}
        for burn in _changes(view.block, BURN_TOPIC):
            burns.setdefault(burn[1:], deque()).append(burn)
        for mint in _changes(view.block, MINT_TOPIC):
            waiting = burns.get(mint[1:], deque())
            while waiting and waiting[0].tx_index <= mint.tx_index:
                waiting.popleft()
            if not waiting:
                continue
            burn = waiting.popleft()
            between = tuple(view.swaps_between(mint.position[0], mint.tx_index, burn.tx_index))
            if between:
                yield _label(view, mint, burn, between)


def _label(view: LandedView, mint: _Change, burn: _Change, between: tuple[LandedSwap, ...]) -> Label:
    pool, owner = mint.position[:2]
    first, last = (view.block.txs[change.tx_index].tx for change in (mint, burn))
    return Label(
        kind=JitLiquidity.kind,
        accounts=tuple(dict.fromkeys((owner, first.sender, last.sender))),
        tx_hashes=(first.hash, last.hash),
        venues=(pool,),
        profit=(),
        costs=view.costs((mint.tx_index, burn.tx_index)),
        net_wei=None,
        confidence=Confidence.MEDIUM,
        why=f"liquidity came right before {len(between)} swaps of others and left right behind them",
        victims=tuple(Victim(swap.tx_hash, view.block.txs[swap.tx_index].tx.sender) for swap in between),
        detail=Position(first.hash, last.hash, between, pool, owner, mint.liquidity),
    )


def _changes(block: LandedBlock, kind: bytes) -> Iterator[_Change]:
    size, liquidity_word = _SHAPES[kind]
    for landed in block.txs:
        for log in landed.logs:
            if len(log.topics) == 4 and log.topics[0] == kind and len(log.data) == size:
                owner, lower, upper = log.topics[1:]
                position = (log.address, owner[12:], lower, upper)
                yield _Change(landed.index, position, word(log.data, liquidity_word))
