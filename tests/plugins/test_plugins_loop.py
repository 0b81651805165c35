"""What another package awaits runs on a loop of its own: however it behaves, whoever waits is not held up."""

import asyncio
import sys
import threading
import time

import pytest

from mev_dagster.errors import PluginFailed
from mev_dagster.plugin_loop import OwnLoop
from mev_dagster.plugins import given

PLUGIN = given("lanes", "odd", object())


@pytest.fixture
async def own():
    made = []

    def make(**limits):
        made.append(OwnLoop(PLUGIN, **{"silent_seconds": 60, "goodbye_seconds": 0.2, **limits}))
        return made[-1]

    yield make
    for loop in made:
        await loop.close()


@pytest.fixture
def gate():
    """What a hook hangs on, opened at the end so that no thread outlives its test."""
    opened = threading.Event()
    yield opened
    opened.set()


async def answer():
    return threading.current_thread().name


async def test_a_call_is_answered_from_a_thread_of_the_plugins_own(own):
    loop = own(goodbye_seconds=60)
    assert await loop.run(answer) == "plugin loop odd" == await loop.run(answer, seconds=60)
    await loop.close()
    assert not loop.is_alive


async def test_one_that_blocks_its_loop_is_named_while_ours_goes_on(own, gate):
    async def blocks():
        gate.wait()

    turns = 0

    async def ours():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(ours())
    with pytest.raises(PluginFailed, match=r"its event loop stood still for more than 0\.3 s") as failed:
        await own(silent_seconds=0.3).run(blocks)
    counting.cancel()
    assert failed.value.reason == "timed_out"
    assert turns > 10


async def test_one_that_spins_is_told_to_stop_and_its_thread_ends(own):
    async def spins():
        while True:
            pass

    loop = own(silent_seconds=0.3)
    with pytest.raises(PluginFailed, match="stood still"):
        await loop.run(spins)
    await loop.close()
    ends_at = time.monotonic() + 30
    while loop.is_alive and time.monotonic() < ends_at:
        await asyncio.sleep(0.01)
    assert not loop.is_alive


async def test_one_that_never_answers_has_its_time_and_no_more(own):
    async def waits():
        await asyncio.Event().wait()

    with pytest.raises(PluginFailed, match=r"no answer within 0\.2 s"):
        await own(silent_seconds=30).run(waits, seconds=0.2)


async def raises():
    raise ValueError("two\nlines")


async def exits():
    sys.exit(3)


async def interrupts():
    raise KeyboardInterrupt


async def cancels_itself():
    raise asyncio.CancelledError


async def stops_the_loop():
    asyncio.get_running_loop().stop()
    await asyncio.Event().wait()


def no_coroutine():
    return 5


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (raises, "ValueError: two lines"),
        (exits, "SystemExit: 3"),
        (interrupts, "KeyboardInterrupt"),
        (cancels_itself, "it cancelled itself"),
        (stops_the_loop, "its event loop ended|it cancelled itself"),
        (no_coroutine, "TypeError"),
    ],
)
async def test_whatever_one_raises_is_a_failure_in_one_line(own, call, said):
    loop = own(silent_seconds=30)
    with pytest.raises(PluginFailed, match=said) as failed:
        await loop.run(call)
    assert failed.value.reason == "raised"
    assert "\n" not in str(failed.value)
    assert await loop.run(answer, seconds=30) == "plugin loop odd"


async def test_one_that_is_cancelled_may_end_well(own):
    ended = threading.Event()

    async def ends():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.create_task(own(goodbye_seconds=30).run(ends))
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert ended.is_set()


async def test_one_that_will_not_be_cancelled_is_left_behind(own, gate):
    async def stays():
        while not gate.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    loop = own(silent_seconds=30)
    running = asyncio.create_task(loop.run(stays))
    await asyncio.sleep(0.05)
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=30)
    assert done == {running}
