"""Whether a node still tells of heads: what it announces is compared with what it answers when asked."""

import asyncio
from typing import Any

import msgspec

from mev_dagster.errors import NodeAnswerError, NodeTimeout, NodeUnreachable
from mev_dagster.ingest.lanes.rpc_heads import HeadFollower
from mev_dagster.node.envelope import UNREADABLE
from mev_dagster.node.link import NodeLink
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

HEADS_WAITING = 64  # the newest one leads to all before it
QUIET_SECONDS = 12.0  # a slot without a head: ask
POLL_SECONDS = 4.0
ANSWER_SECONDS = 6.0
LOST_SECONDS = 45.0  # neither a head nor an answer for so long: the connection is of no use

Announced = tuple[dict[str, Any], int, int]  # header, wall_ns, mono_ns


class HeadWatch:
    """One connection's heads, as announced and, where that goes silent, as polled."""

    def __init__(self, node: NodeLink, heads: HeadFollower, clock: Clock) -> None:
        self.missed = 0  # heads that only a poll showed, since the last announced one
        self.announced: asyncio.Queue[Announced] = asyncio.Queue(HEADS_WAITING)
        self._node, self._heads, self._clock = node, heads, clock
        self._heard_ns = self._answered_ns = clock.mono_ns()
        self._subscription: str | None = None

    async def subscribe(self) -> None:
        """Subscribe, or subscribe again; a node without the subscription is polled."""
        if self._subscription is not None:
            await self._node.unsubscribe(self._subscription)
        try:
            self._subscription = await self._node.subscribe(
                "newHeads", notified=self._notified, ended=self._ended
            )
        except NodeAnswerError:
            self._subscription, self._heard_ns = None, 0

    async def ask_first(self) -> bool:
        """Take the node's head as if it had been announced; say whether there was one."""
        head = await self.ask()
        if head is not None:
            self._put(head, self._clock.wall_ns(), self._clock.mono_ns())
        return head is not None

    def is_alive(self) -> bool:
        """Say whether a head came lately, announced or asked for."""
        silent_ns = self._clock.mono_ns() - max(self._heard_ns, self._answered_ns)
        return silent_ns < 2 * QUIET_SECONDS * NS_PER_SECOND

    async def poll(self) -> bool:
        """Ask for the newest head where none was announced for a slot; say whether one had been missed.

        Raises `NodeUnreachable` when the node has neither announced nor answered anything for long.
        """
        now_ns = self._clock.mono_ns()
        if now_ns - self._heard_ns < QUIET_SECONDS * NS_PER_SECOND:
            return False
        head = await self.ask()
        if head is None:
            silent_ns = now_ns - max(self._heard_ns, self._answered_ns)
            if silent_ns > LOST_SECONDS * NS_PER_SECOND:
                said = f"{silent_ns // NS_PER_SECOND} s"
                raise NodeUnreachable(f"lost {self._node.address}: no head and no answer for {said}")
            return False
        try:
            if self._heads.knows(head):
                return False
        except NodeAnswerError:
            return False
        self.missed += 1
        self._put(head, self._clock.wall_ns(), self._clock.mono_ns())
        return True

    async def ask(self) -> dict[str, Any] | None:
        """Return the node's newest head, None where it has no answer now."""
        try:
            head = await self._node.call(
                "eth_getBlockByNumber", "latest", False, timeout_seconds=ANSWER_SECONDS
            )
        except (NodeAnswerError, NodeTimeout):
            return None
        if not isinstance(head, dict):
            return None
        self._answered_ns = self._clock.mono_ns()
        return head

    def _notified(self, raw: msgspec.Raw, wall_ns: int, mono_ns: int) -> None:
        try:
            head = msgspec.json.decode(raw)
        except UNREADABLE:
            return
        if isinstance(head, dict):
            self._heard_ns, self.missed = mono_ns, 0
            self._put(head, wall_ns, mono_ns)

    def _ended(self, _: NodeAnswerError) -> None:
        self._subscription, self._heard_ns = None, 0

    def _put(self, head: dict[str, Any], wall_ns: int, mono_ns: int) -> None:
        if self.announced.full():
            self.announced.get_nowait()
        self.announced.put_nowait((head, wall_ns, mono_ns))
