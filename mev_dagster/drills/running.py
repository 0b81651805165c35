"""Running a drill from the command line: however it ends, what it started is stopped."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_drill(drill: Coroutine[Any, Any, T]) -> T:
    """Run a drill to its end; SIGTERM ends it as Ctrl-C does."""
    try:
        return asyncio.run(_cancelled_by_sigterm(drill))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _cancelled_by_sigterm(drill: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await drill
