"""Swaps with their tokens, from logs alone.

A Swap log names its pool but not what it trades. The tokens are those the pool took and gave in the same
transaction; token0 is the lower address, which says which amount belongs to which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mev_dagster.dex.erc20 import Transfer, transfers_of
from mev_dagster.dex.events import swaps_of
from mev_dagster.dex.venue_events import SwapEvent
from mev_dagster.labels.landed import LandedBlock, LandedTx


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
    return tuple(swap for landed in block.txs for swap in tx_swaps(landed))


def tx_swaps(landed: LandedTx) -> Iterator[LandedSwap]:
    """Yield the swaps of one transaction, in log order."""
    events = swaps_of(landed.logs)
    if not events:
        return
    transfers = transfers_of(landed.logs)
    for position, event in events:
        tokens = event.tokens or _tokens_of(event, transfers)
        if tokens is None or event.amount_in <= 0 or event.amount_out <= 0:
            continue
        token_in, token_out = tokens if event.zero_for_one else tokens[::-1]
        yield LandedSwap(
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


def _tokens_of(event: SwapEvent, transfers: Sequence[Transfer]) -> tuple[bytes, bytes] | None:
    """Return (token0, token1), None when the transfers do not single them out.

    A pool's liquidity token moves through the pool too when liquidity is removed; it is never one of the two.
    """
    taken = {t.token: t for t in transfers if t.recipient == event.pool and t.token != event.pool}
    given = {t.token: t for t in transfers if t.sender == event.pool and t.token != event.pool}
    both = sorted({*taken, *given})
    if len(both) == 2:
        return both[0], both[1]
    exact_in = _with_amount(transfers, event.amount_in, recipient=event.pool)
    exact_out = _with_amount(transfers, event.amount_out, sender=event.pool)
    if len(exact_in) == 1 and len(exact_out) == 1 and exact_in != exact_out:
        return (exact_in[0], exact_out[0]) if event.zero_for_one else (exact_out[0], exact_in[0])
    return None


def _with_amount(
    transfers: Sequence[Transfer], amount: int, *, sender: bytes | None = None, recipient: bytes | None = None
) -> list[bytes]:
    return sorted(
        {
            transfer.token
            for transfer in transfers
            if transfer.amount == amount
            and (sender is None or transfer.sender == sender)
            and (recipient is None or transfer.recipient == recipient)
        }
    )
