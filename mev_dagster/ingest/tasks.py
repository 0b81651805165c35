"""Running coroutines side by side so that none outlives the others."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def run_until_one_ends(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all; when the first returns or raises, cancel the rest, and raise what it raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def run_all(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all to their end; when one raises, cancel the rest, and raise what it raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
