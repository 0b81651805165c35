"""A session on a socket: an asyncio protocol that only buffers, and turns that parse.

Bounds, whoever is at the other end: input stops at `PAUSE_BYTES` unless one frame needs more, output is cut
off at `MAX_UNSENT_BYTES`, and a stage that takes too long ends the connection.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, cast

from mev_dagster.devp2p.hello import Reason
from mev_dagster.devp2p.large_frames import LARGE_FRAME_BYTES, LargeFrames
from mev_dagster.devp2p.large_frames import SECONDS as LARGE_SECONDS
from mev_dagster.devp2p.session import Disconnected, Event, Handshaken, Ponged, Ready, Session, State
from mev_dagster.errors import DecodeError
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import MIB, NS_PER_SECOND

if TYPE_CHECKING:
    from mev_dagster.devp2p.eth.messages import Message

PAUSE_BYTES = 128 * 1024
RESUME_BYTES = 32 * 1024
MAX_UNSENT_BYTES = 8 * MIB
HANDSHAKE_SECONDS = 5.0  # for each of: RLPx and Hello, then Status
IDLE_SECONDS = 30.0
PING_SECONDS = 15.0

_GOODBYES = {
    "unexpected_identity": Reason.UNEXPECTED_IDENTITY,
    "useless_peer": Reason.USELESS_PEER,
    "other_genesis": Reason.SUBPROTOCOL,
    "other_network": Reason.SUBPROTOCOL,
    "other_chain": Reason.SUBPROTOCOL,
    "local_stale": Reason.SUBPROTOCOL,
    "remote_stale": Reason.SUBPROTOCOL,
}

log = logger("p2p")


class Owner(Protocol):
    """Who hears what a connection brings."""

    def handshaken(self, connection: "Connection") -> Reason | None:
        """Say why this identity may not go on, None when it may."""
        ...

    def opened(self, connection: "Connection", ready: Ready) -> None:
        """The conversation is past Status."""
        ...

    def heard(self, connection: "Connection", message: "Message", wall_ns: int, mono_ns: int) -> None:
        """A message came; the stamps are those of its frame."""
        ...

    def ended(self, connection: "Connection", reason: str) -> None:
        """The connection is gone. Called exactly once."""
        ...

    def has_input(self, connection: "Connection") -> None:
        """There is something to parse: a turn is due."""
        ...


class Connection(asyncio.Protocol):
    """One peer, from its socket's first byte to its last."""

    def __init__(
        self, session: Session, owner: Owner, clock: Clock, large_frames: LargeFrames, *, inbound: bool
    ) -> None:
        self.session = session
        self.inbound = inbound
        self.host = ""
        self.ready: Ready | None = None
        self.end_reason: str | None = None
        self.started_ns = clock.mono_ns()
        self.bytes_in = self.bytes_out = self.pauses = 0
        self.decode_seconds = 0.0  # of the last message, from its frame on
        self._owner, self._clock = owner, clock
        self._transport: asyncio.Transport | None = None
        self._stage_ns = self._alive_ns = self.started_ns
        self._large_frames = large_frames
        self._large_since_ns: int | None = None  # a large frame is on its way
        self._paused = False
        self._pinged = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Buffer, ask for a turn, and stop reading when there is enough for a while."""
        if self.end_reason is not None:
            return
        self.bytes_in += len(data)
        link = self.session.link
        link.receive(data)
        if link.complete:
            self._owner.has_input(self)
            if link.buffered > PAUSE_BYTES:
                self._pause()

    def connection_lost(self, exc: Exception | None) -> None:
        """Finish: the socket is gone."""
        self._end("connection_lost" if exc is None else "connection_reset")

    # Turns

    def take_turn(self, frames: int) -> bool:
        """Parse at most `frames` events; a peer's error ends it, an error of ours ends it loudly."""
        try:
            for _ in range(frames):
                if self.end_reason is not None:
                    return False
                started = time.perf_counter()
                event = self.session.next_event()
                if event is None:
                    break
                self.decode_seconds = time.perf_counter() - started
                self._end_large_frame()
                self._take(event)
            self.flush()
            self._resume()
        except DecodeError as error:
            log.debug("peer erred", host=self.host, error=error)
            self.close(error.reason, _GOODBYES.get(error.reason, Reason.PROTOCOL_BREACH))
            return False
        except Exception:
            log.exception("a peer's message was not survived", message=self.session.last_message)
            self.close("internal_error", Reason.REQUESTED)
            return False
        return self.session.link.complete

    def _take(self, event: Event) -> None:
        now_ns = self._clock.mono_ns()
        self._alive_ns = now_ns
        self._pinged = False
        match event:
            case Handshaken():
                if (refusal := self._owner.handshaken(self)) is not None:
                    self.close(refusal.label, refusal)
            case Ready():
                self.ready = event
                self._owner.opened(self, event)
            case Disconnected():
                self._end(f"remote_{event.reason.label}")
                self._drop()
            case Ponged():
                pass
            case _:
                self._owner.heard(self, event, self._clock.wall_ns(), now_ns)

    # What the owner does

    def send(self, message: "Message") -> None:
        """Send an eth message; a peer that does not read what it is sent is let go."""
        if self.end_reason is None:
            self.session.send(message)
            self.flush()

    def flush(self) -> None:
        """Hand the session's output to the socket."""
        data = self.session.take_output()
        if data and self._transport is not None and not self._transport.is_closing():
            self.bytes_out += len(data)
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
                self.abort("slow_reader")

    def close(self, reason: str, goodbye: Reason) -> None:
        """Say goodbye and hang up."""
        if self.end_reason is not None:
            return
        self.session.disconnect(goodbye)
        self.flush()
        self._end(reason)
        if self._transport is not None:
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Hang up without a word."""
        self._end(reason)
        self._drop()

    def check_time(self, now_ns: int) -> None:
        """End what took too long: a handshake, a silence, a frame that trickles in; ping the quiet."""
        state = self.session.state
        since_stage, silent = now_ns - self._stage_ns, now_ns - self._alive_ns
        if state is State.OPEN:
            if (
                self._large_since_ns is not None
                and now_ns - self._large_since_ns > LARGE_SECONDS * NS_PER_SECOND
            ):
                self.close("slow_frame", Reason.TIMEOUT)
            elif silent > IDLE_SECONDS * NS_PER_SECOND:
                self.close("idle_timeout", Reason.TIMEOUT)
            elif silent > PING_SECONDS * NS_PER_SECOND and not self._pinged:
                self._pinged = True
                self.session.ping()
                self.flush()
        elif since_stage > HANDSHAKE_SECONDS * NS_PER_SECOND * (2 if state is State.STATUS else 1):
            self.close(f"{state.name.lower()}_timeout", Reason.TIMEOUT)

    def _resume(self) -> None:
        """Read on once little is left, or when the next frame is larger than what was let in."""
        link = self.session.link
        if link.complete:
            if self._paused and link.buffered < RESUME_BYTES:
                self._read_on()
        elif link.awaited <= LARGE_FRAME_BYTES or self._begin_large_frame():
            self._read_on()

    def _begin_large_frame(self) -> bool:
        """Let a large frame in if there is a slot; otherwise read nothing until there is."""
        if self._large_frames.take(self, self._large_frame_granted):
            if self._large_since_ns is None:
                self._large_since_ns = self._clock.mono_ns()
            return True
        self._pause()
        return False

    def _large_frame_granted(self) -> None:
        self._large_since_ns = self._clock.mono_ns()
        self._read_on()

    def _end_large_frame(self) -> None:
        if self._large_since_ns is not None:
            self._large_since_ns = None
            self._large_frames.release(self)

    def _pause(self) -> None:
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self.pauses += 1
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end(self, reason: str) -> None:
        if self.end_reason is None:
            self.end_reason = reason
            self._large_frames.release(self)
            self.session.state = State.CLOSED
            self._owner.ended(self, reason)
