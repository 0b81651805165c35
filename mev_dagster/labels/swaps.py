"""Swaps with their tokens. Ether counts as its wrapped form, as everywhere in labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mev_dagster.dex.events import swaps_of
from mev_dagster.dex.venue_events import SwapEvent
from mev_dagster.labels.landed import LandedBlock, LandedTx
from mev_dagster.labels.swap_tokens import Known, told_tokens


@dataclass(frozen=True, slots=True)
class LandedSwap:
    """One swap of a landed transaction."""

    tx_index: int
    tx_hash: bytes
    log_position: int
    protocol: str
    pool: bytes
    sender: bytes
    recipient: bytes
    token_in: bytes
    token_out: bytes
    amount_in: int
    amount_out: int
    pool_id: bytes = b""

    @property
    def book(self) -> tuple[bytes, bytes]:
        """Return what tells its pool from every other, those of the same contract too."""
        return self.pool, self.pool_id


def swap_to_json(swap: LandedSwap) -> dict[str, Any]:
    """Return one swap."""
    return {
        "tx_hash": swap.tx_hash,
        "protocol": str(swap.protocol),
        "pool": swap.pool,
        "token_in": swap.token_in,
        "amount_in": swap.amount_in,
        "token_out": swap.token_out,
        "amount_out": swap.amount_out,
    }


def swaps_in(block: LandedBlock) -> tuple[LandedSwap, ...]:
    """Return every swap of a block, on any venue, whose tokens can be told."""
    return tuple(
        _swap(landed, position, event, tokens) for landed, position, event, tokens in _read(block) if tokens
    )


def leaves_swaps_untold(block: LandedBlock) -> bool:
    """Say whether some swap has tokens that nothing told."""
    return any(tokens is None for _, _, _, tokens in _read(block))


def swap_events(block: LandedBlock) -> int:
    """Return how many events say that something was swapped, told or not."""
    return sum(1 for _ in _events(block))


def _events(block: LandedBlock) -> Iterator[tuple[LandedTx, int, SwapEvent]]:
    for landed in block.txs:
        for position, event in swaps_of(landed.logs):
            if event.amount_in > 0 and event.amount_out > 0:
                yield landed, position, event


def _read(block: LandedBlock) -> list[tuple[LandedTx, int, SwapEvent, tuple[bytes, bytes] | None]]:
    known = Known()
    found = [
        (landed, position, event, told_tokens(event, landed, known, block.wrapped_ether))
        for landed, position, event in _events(block)
    ]
    # A later transaction may have told what an earlier one left open.
    return [
        (landed, position, event, tokens or known.tokens.get((event.pool, event.pool_id)))
        for landed, position, event, tokens in found
    ]


def _swap(landed: LandedTx, position: int, event: SwapEvent, tokens: tuple[bytes, bytes]) -> LandedSwap:
    token_in, token_out = tokens if event.zero_for_one else tokens[::-1]
    return LandedSwap(
        tx_index=landed.index,
        tx_hash=landed.tx.hash,
        log_position=position,
        protocol=event.protocol,
        pool=event.pool,
        sender=event.sender,
        recipient=event.recipient,
        token_in=token_in,
        token_out=token_out,
        amount_in=event.amount_in,
        amount_out=event.amount_out,
        pool_id=event.pool_id,
    )
