"""The best bid of every auction as it changes: one frame each, in SSZ, as helix and ultrasound stream it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mev_dagster.pbs.sandbox.auction import ReceivedBid
from mev_dagster.pbs.schema import ADDRESS, HASH, PUBKEY, UINT64, UINT256
from mev_dagster.pbs.ssz import Container, ContainerField
from mev_dagster.units import NS_PER_MS

FRAMES_WAITING = 256
MOST_LISTENERS = 64


@dataclass(frozen=True, slots=True)
class TopBidUpdate:
    """An auction's best bid from `timestamp` (Unix milliseconds) on; `value` is in wei."""

    timestamp: int
    slot: int
    block_number: int
    block_hash: bytes
    parent_hash: bytes
    builder_pubkey: bytes
    fee_recipient: bytes
    value: int


TOP_BID_UPDATE = Container(
    TopBidUpdate,
    (
        ContainerField("timestamp", UINT64),
        ContainerField("slot", UINT64),
        ContainerField("block_number", UINT64),
        ContainerField("block_hash", HASH),
        ContainerField("parent_hash", HASH),
        ContainerField("builder_pubkey", PUBKEY),
        ContainerField("fee_recipient", ADDRESS),
        ContainerField("value", UINT256),
    ),
)
FRAME_BYTES = 188


def update_of(bid: ReceivedBid, wall_ns: int) -> TopBidUpdate:
    """Return what listeners are told of a bid that became the best."""
    message, payload = bid.submission.message, bid.submission.execution_payload
    return TopBidUpdate(
        timestamp=wall_ns // NS_PER_MS,
        slot=message.slot,
        block_number=payload.block_number,
        block_hash=message.block_hash,
        parent_hash=message.parent_hash,
        builder_pubkey=message.builder_pubkey,
        fee_recipient=payload.fee_recipient,
        value=message.value,
    )


@dataclass(slots=True)
class TopBids:
    """Whoever listens. One that reads too slowly loses the oldest frames, and `lost` counts them."""

    lost: int = 0
    _listeners: list[asyncio.Queue[bytes]] = field(default_factory=list)

    def publish(self, update: TopBidUpdate) -> None:
        """Tell everyone."""
        frame = TOP_BID_UPDATE.encode(update)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
                self.lost += 1
            queue.put_nowait(frame)

    @property
    def full(self) -> bool:
        """Whether no further listener is taken."""
        return len(self._listeners) >= MOST_LISTENERS

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield frames from now on, until whoever listens stops."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(FRAMES_WAITING)
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)
