"""A node's IPC socket: the same JSON-RPC as over WebSocket, without frames; documents follow one another."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections import deque

from websockets.exceptions import ConnectionClosedError

from mev_dagster.errors import NodeUnreachable
from mev_dagster.units import MIB

READ_BYTES = MIB // 4
_STRUCTURE = re.compile(rb'[{}\[\]"]')


class JsonDocuments:
    """Cuts a stream of bytes into JSON documents wherever it was cut on its way. No I/O."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._start = self._place = self._depth = 0
        self._in_text = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes; return the documents that are whole now.

        Raises `NodeUnreachable` beyond the limit.
        """
        self._buffer += data
        found: list[bytes] = []
        while self._step():
            if not self._depth and not self._in_text:
                found.append(bytes(self._buffer[self._start : self._place]))
                self._start = self._place
        del self._buffer[: self._start]
        self._place -= self._start
        self._start = 0
        if len(self._buffer) > self._limit:
            raise NodeUnreachable(f"a message of more than {self._limit} bytes")
        return found

    def _step(self) -> bool:
        """Go to the next quote or bracket; say whether there was one."""
        if self._in_text:
            end = self._buffer.find(b'"', self._place)
            if end < 0:
                self._place = len(self._buffer)
                return False
            before = self._buffer[self._start : end]
            escapes = len(before) - len(before.rstrip(b"\\")) if before.endswith(b"\\") else 0
            self._place, self._in_text = end + 1, escapes % 2 == 1
            return True
        match = _STRUCTURE.search(self._buffer, self._place)
        if match is None:
            self._place = len(self._buffer)
            if not self._depth:
                self._start = self._place  # what stands between documents
            return False
        sign = match[0]
        self._place = match.end()
        if not self._depth:
            self._start = match.start()
        if sign == b'"':
            self._in_text = True
        else:
            self._depth = max(0, self._depth + (1 if sign in b"{[" else -1))
        return True


class IpcSocket:
    """An open IPC socket that sends and receives whole messages, as a WebSocket does."""

    transport = None

    def __init__(self, reader: StreamReader, writer: StreamWriter, limit_bytes: int) -> None:
        self._reader, self._writer = reader, writer
        self._documents = JsonDocuments(limit_bytes)
        self._waiting: deque[bytes] = deque()

    @classmethod
    async def open(cls, path: str, *, limit_bytes: int, timeout_seconds: float) -> "IpcSocket":
        """Connect to the socket at `path`."""
        async with asyncio.timeout(timeout_seconds):
            return cls(*await asyncio.open_unix_connection(path), limit_bytes)

    async def recv(self, decode: bool | None = None) -> bytes:
        """Return the next message."""
        while not self._waiting:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise ConnectionClosedError(None, None)
            self._waiting.extend(self._documents.feed(data))
        return self._waiting.popleft()

    async def send(self, message: str) -> None:
        """Send a message."""
        try:
            self._writer.write(message.encode() + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise ConnectionClosedError(None, None) from error

    async def close(self) -> None:
        """Let the socket go."""
        self._writer.close()
