"""HTTP/1.1 with a deadline on silence.

A connection must bring a whole request head within `HEAD_SECONDS` of its start, and of the first byte of each
later one; and only `MAX_SILENT` connections may owe a request at once: the one silent longest makes room. So
sockets that open and say nothing, or drip a header a byte at a time, never shut others out.
"""

import asyncio
from collections import OrderedDict
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

TRANSPORT = "mev_dagster.transport"
"""The extension under which an application finds its connection, to break it off on purpose."""
HEAD_SECONDS = 10.0
MAX_SILENT = 512


class DeadlineProtocol(H11Protocol):
    """uvicorn's h11 protocol whose connections may not be silent for long."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self._expect_head()

    def handle_events(self) -> None:
        """Stop the deadline once a request head is whole; start one for a head that has only begun."""
        super().handle_events()
        if self._is_answering():
            extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
            extensions[TRANSPORT] = self.transport
        if self._upgraded or self.transport.is_closing() or self._is_answering():
            self._stop_expecting()
        elif self._deadline is None:
            self._expect_head()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over: a WebSocket owes no request head, however long it is silent."""
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Between requests uvicorn's keep-alive limit holds; a request that begins gets a deadline again."""
        super().on_response_complete()
        if not self._is_answering():
            self._stop_expecting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_expecting()
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._end)
        silent = _silent_of(self.server_state)
        silent[self] = None
        while len(silent) > MAX_SILENT:
            longest = next(iter(silent))
            longest._end()

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        _silent_of(self.server_state).pop(self, None)

    def _end(self) -> None:
        self._stop_expecting()
        self.transport.close()


def _silent_of(server_state: Any) -> "OrderedDict[DeadlineProtocol, None]":
    """Return the connections of one server that owe a request head, the longest silent first."""
    found: OrderedDict[DeadlineProtocol, None] | None = getattr(server_state, "silent", None)
    if found is None:
        found = server_state.silent = OrderedDict()
    return found
