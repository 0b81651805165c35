"""An event loop of its own for what another package brings and awaits: what blocks there blocks nobody else.

    loop = OwnLoop(plugin)
    answer = await loop.run(lambda: client.submit(bid), seconds=4.0)
    await loop.close()

The loop runs on a thread. It is asked for a sign of life; one that gives none for too long is told to stop
and left behind, and whoever waits for it hears `PluginFailed`. The caller's own loop never waits for a hook.
"""

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from mev_dagster.errors import PluginFailed
from mev_dagster.plugins import SECONDS_OF_A_CALL, Plugin, said_in_one_line, tell_to_stop

BEAT_SECONDS = 0.1
GOODBYE_SECONDS = 2.0
"""What a hook that is cancelled has to come to its end."""

Answer = TypeVar("Answer")


class OwnLoop:
    """One plug-in's thread and event loop, made when the first call comes."""

    def __init__(
        self,
        plugin: Plugin[Any],
        *,
        silent_seconds: float = SECONDS_OF_A_CALL,
        goodbye_seconds: float = GOODBYE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._plugin, self._clock, self._on_beat = plugin, clock, on_beat
        self._silent_seconds, self._goodbye_seconds = silent_seconds, goodbye_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._heard = 0.0

    @property
    def is_alive(self) -> bool:
        """Say whether its thread still runs, be it left behind."""
        return self._thread is not None and self._thread.is_alive()

    async def run(self, call: Callable[[], Awaitable[Answer]], *, seconds: float | None = None) -> Answer:
        """Return what the call gives, awaited on the plug-in's loop.

        `PluginFailed` when it raises, whatever it raises; when it takes longer than `seconds`; and when its
        loop gives no sign of life. Cancelled, it cancels the call and gives it a moment to end.
        """
        loop = self._running()
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_called(call, ended), loop)
        waiting = asyncio.wrap_future(future)
        began = self._heard = self._clock()
        try:
            while True:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self._beat)
                await asyncio.wait({waiting}, timeout=BEAT_SECONDS)
                if waiting.done():
                    break
                self._check(began, seconds)
        finally:
            if not waiting.done():
                await self._let_go(future, ended)
        try:
            return await waiting
        except asyncio.CancelledError as error:
            raise self._failed("raised", "it cancelled itself") from error
        except BaseException as error:  # whatever a hook raises costs its answer, not the process
            raise self._failed("raised", said_in_one_line(error)) from error

    async def close(self) -> None:
        """End the loop; a thread that does not end in time is left behind."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = None
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.stop)
        await self._until(lambda: not thread.is_alive())
        if thread.is_alive():
            tell_to_stop(thread)

    def _check(self, began: float, seconds: float | None) -> None:
        now = self._clock()
        if self._over.is_set():
            raise self._failed("raised", "its event loop ended")
        if seconds is not None and now - began >= seconds:
            raise self._failed("timed_out", f"no answer within {seconds:g} s")
        if now - self._heard > self._silent_seconds:
            said = f"its event loop stood still for more than {self._silent_seconds:g} s"
            raise self._failed("timed_out", said)

    async def _let_go(self, future: "Future[Any]", ended: threading.Event) -> None:
        """Cancel a call; told to stop where it will not end."""
        future.cancel()
        if self._clock() - self._heard <= self._silent_seconds:
            await self._until(ended.is_set)
        if not ended.is_set() and self._thread is not None:
            tell_to_stop(self._thread)

    async def _until(self, done: Callable[[], bool]) -> None:
        ends_at = self._clock() + self._goodbye_seconds
        while not done() and self._clock() < ends_at:
            await asyncio.sleep(BEAT_SECONDS / 5)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._over.is_set():
            self._loop, self._over = asyncio.new_event_loop(), threading.Event()
            self._thread = threading.Thread(
                target=contextvars.copy_context().run,
                args=(_serve, self._loop, self._over),
                name=f"plugin loop {self._plugin.name}",
                daemon=True,
            )
            self._thread.start()
        return self._loop

    def _beat(self) -> None:
        """Run on the plug-in's loop: it is alive."""
        self._heard = self._clock()
        self._on_beat()

    def _failed(self, reason: str, detail: str) -> PluginFailed:
        return PluginFailed(self._plugin.kind, self._plugin.name, self._plugin.package, reason, detail)


async def _called(call: Callable[[], Awaitable[Answer]], ended: threading.Event) -> Answer:
    try:
        return await call()
    except (SystemExit, KeyboardInterrupt) as error:  # either would end the loop before anybody heard of it
        raise RuntimeError(said_in_one_line(error)) from error
    finally:
        ended.set()


def _serve(loop: asyncio.AbstractEventLoop, over: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda loop, context: None)  # what matters of it reaches whoever waits
    try:
        loop.run_forever()
        over.set()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=BEAT_SECONDS))
    except BaseException:  # told to stop, or ended by a task of the hook's own
        return
    finally:
        over.set()
        loop.close()
