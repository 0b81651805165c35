"""Just-in-time liquidity: a V3 position minted before other people's swaps and burned right after them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mev_dagster.dex.abi import topic, word
from mev_dagster.labels.landed import LandedBlock
from mev_dagster.labels.swaps import LandedSwap

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
class JitLiquidity:
    """A position that lived for a few swaps."""

    mint_tx_hash: bytes
    burn_tx_hash: bytes
    victims: tuple[LandedSwap, ...]
    pool: bytes
    owner: bytes
    liquidity: int


def jit_in(block: LandedBlock, swaps: Sequence[LandedSwap]) -> Iterator[JitLiquidity]:
    """Yield the positions that were minted and burned around somebody's swaps in their pool."""
    burns = list(_changes(block, BURN_TOPIC))
    for mint in _changes(block, MINT_TOPIC):
        burn = next((b for b in burns if b.tx_index > mint.tx_index and b[1:] == mint[1:]), None)
        if burn is None:
            continue
        burns.remove(burn)
        pool, owner = mint.position[:2]
        between = tuple(
            swap for swap in swaps if swap.pool == pool and mint.tx_index < swap.tx_index < burn.tx_index
        )
        if between:
            yield JitLiquidity(
                mint_tx_hash=block.txs[mint.tx_index].tx.hash,
                burn_tx_hash=block.txs[burn.tx_index].tx.hash,
                victims=between,
                pool=pool,
                owner=owner,
                liquidity=mint.liquidity,
            )


def _changes(block: LandedBlock, kind: bytes) -> Iterator[_Change]:
    size, liquidity_word = _SHAPES[kind]
    for landed in block.txs:
        for log in landed.logs:
            if len(log.topics) == 4 and log.topics[0] == kind and len(log.data) == size:
                owner, lower, upper = log.topics[1:]
                position = (log.address, owner[12:], lower, upper)
                yield _Change(landed.index, position, word(log.data, liquidity_word))
