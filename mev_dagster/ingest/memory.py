"""Memory that is free again goes back to the machine.

glibc keeps what Python and Arrow let go for the next one who asks: after a burst of large transactions the
process would stay as large as the burst.
"""

import asyncio
import ctypes
import resource
from collections.abc import Callable
from pathlib import Path

from mev_dagster.units import MIB

LOOK_SECONDS = 5.0
GROWN_BYTES = 16 * MIB

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return how much memory the process has, 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0


def trim() -> None:
    """Ask the allocator to return free pages, where it is one that can."""
    release: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)


async def give_memory_back() -> None:
    """Trim whenever the process has grown since the last time, until cancelled."""
    smallest = resident_bytes()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if resident_bytes() > smallest + GROWN_BYTES:
            await asyncio.to_thread(trim)
            smallest = resident_bytes()
        smallest = min(smallest, resident_bytes())
