"""One RLPx link without its socket: bytes in, messages out, whichever end dialled.

    link.receive(data)  # never blocks, never parses
    link.shake_hands() and link.next_message()
    transport.write(link.take_output())

The stream may be cut anywhere. `complete` says whether a whole packet or frame is waiting, so that a reader
can stop a socket that has sent enough without ever waiting for the rest of a frame it refuses to read.
"""

import os
from typing import NamedTuple

from mev_dagster.devp2p.frames import HEAD_BYTES, FrameWriter, RlpxFrameReader
from mev_dagster.devp2p.handshake import PREFIX_BYTES, Initiator, Recipient, Secrets, packet_size
from mev_dagster.devp2p.keys import Entropy, NodeKey
from mev_dagster.errors import ProtocolViolation
from mev_dagster.units import MIB

DEFAULT_FRAME_LIMIT = 10 * MIB


class RawMessage(NamedTuple):
    """A message id and its payload, still compressed if the session compresses."""

    id: int
    payload: bytes


class RlpxLink:
    """Handshake, then frames. After any error the link is unusable: its running hashes are out of step."""

    def __init__(self, key: NodeKey, remote_id: bytes | None, *, entropy: Entropy = os.urandom) -> None:
        """Dial `remote_id`, or wait for a caller when it is None."""
        self.frame_limit = DEFAULT_FRAME_LIMIT
        self.remote_id = remote_id
        self._input = bytearray()
        self._output: list[bytes] = []
        self._needed = PREFIX_BYTES
        self._writer: FrameWriter | None = None
        self._reader: RlpxFrameReader | None = None
        self._head_open = False
        self._initiator = Initiator(key, remote_id, entropy) if remote_id is not None else None
        self._recipient = Recipient(key, entropy)
        if self._initiator is not None:
            self._output.append(self._initiator.auth)

    @property
    def established(self) -> bool:
        """Whether the handshake is over."""
        return self._reader is not None

    @property
    def buffered(self) -> int:
        """Bytes received and not yet read."""
        return len(self._input)

    @property
    def complete(self) -> bool:
        """Whether what is buffered holds the next packet, frame head or frame body as a whole."""
        return len(self._input) >= self._needed

    @property
    def awaited(self) -> int:
        """How many bytes the next packet, frame head or frame body needs."""
        return self._needed

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._input += data

    def take_output(self) -> bytes:
        """Return, once, what is to be written to the peer."""
        if not self._output:
            return b""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def send(self, message_id: int, payload: bytes) -> None:
        """Queue one message."""
        if self._writer is None:
            raise RuntimeError("the handshake is not over")
        prefix = b"\x80" if message_id == 0 else bytes((message_id,))
        self._output.append(self._writer.frame(prefix + payload))

    def shake_hands(self) -> bool:
        """Advance the handshake as far as the bytes go; say whether the link is established."""
        while self._reader is None and self.complete:
            self._shake()
        return self._reader is not None

    def next_message(self) -> RawMessage | None:
        """Return the next whole message, None until more bytes came; raises `DecodeError`."""
        if self._reader is None:
            raise RuntimeError("the handshake is not over")
        while len(self._input) >= self._needed:
            if not self._head_open:
                self._needed = self._reader.open_head(self._take(HEAD_BYTES), self.frame_limit)
                self._head_open = True
            else:
                data = self._reader.open_body(self._take(self._needed))
                self._needed, self._head_open = HEAD_BYTES, False
                return _message(data)
        return None

    def _shake(self) -> None:
        if self._needed == PREFIX_BYTES:
            self._needed += packet_size(bytes(self._input[:PREFIX_BYTES]))
            return
        packet = self._take(self._needed)
        if self._initiator is not None:
            secrets = self._initiator.finish(packet)
        else:
            ack, secrets = self._recipient.answer(packet)
            self._output.append(ack)
        self._establish(secrets)

    def _establish(self, secrets: Secrets) -> None:
        self.remote_id = secrets.remote_id
        self._writer, self._reader = FrameWriter(secrets), RlpxFrameReader(secrets)
        self._needed = HEAD_BYTES

    def _take(self, count: int) -> bytes:
        taken = bytes(self._input[:count])
        del self._input[:count]  # a bytearray forgets its front without moving the rest
        return taken


def _message(data: bytes) -> RawMessage:
    message_id = data[0]
    if message_id > 0x80:
        raise ProtocolViolation("bad_message_id", f"0x{message_id:02x} is no message id")
    return RawMessage(message_id & 0x7F, data[1:])
