"""`mev bench growth`: the same questions of a store of 1, 10 and 100 days, and of a Dagster that ran as many.

A day is a hundredth of mainnet's (`growth_rows`), so a hundred of them hold as many blocks as a real day.
What the assets ask about a block, what a sensor's tick asks, and what retention asks are timed in turns over
all three, best of several rounds; the budget is that a hundred days answer nearly as fast as one.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from mev_dagster.bench.growth_rows import (
    BLOCKS_A_DAY,
    CANDIDATES,
    FIRST_BLOCK,
    LOG_ID,
    block_time_ns,
    bytes_per_block,
    fill,
)
from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.settings import Settings
from mev_dagster.store.checks import broken_checks
from mev_dagster.store.client import Store, open_store
from mev_dagster.store.endpoint import connect_in_process
from mev_dagster.store.retention import prune
from mev_dagster.store.tables import TABLES
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED
from mev_dagster.windows.coverage import measure

SCALES, QUICK_SCALES = (1, 10, 100), (1, 3, 10)
ROUNDS, QUICK_ROUNDS = 7, 3
QUESTIONS = 12
KEPT = 50_400
AT_MOST_OF_ONE_DAY = 1.5
AT_MOST_BYTES = 1.1

Question = Callable[[Store, int, int], object]


def _sensor_sql(name: str) -> str:
    return (resources.files("sensors") / name).read_text()


def questions() -> dict[str, tuple[Question, bool]]:
    """Return what is asked, by name, and whether it is about one block or one tick: those must stay flat.

    A question gets the store, a block and the newest block.
    """
    new_windows, last_run = _sensor_sql("new_windows.sql"), _sensor_sql("last_run.sql")
    missing, unsearched = _sensor_sql("missing_windows.sql"), _sensor_sql("unsearched_windows.sql")
    return {
        "block: opportunities": (
            lambda store, block, _: store.frame("opportunities", blocks=range(block, block + 1)), True,
        ),
        "block: transactions": (
            lambda store, block, _: store.frame("transactions", blocks=range(block, block + 1)), True,
        ),
        "block: coverage": (lambda store, block, _: measure(store, first=block, last=block), True),
        "block: checks": (
            lambda store, block, _: broken_checks(
                store, TABLES["opportunities"], {"block_number": block}
            ), True,
        ),
        "block: replace": (_replace, True),
        "tick: new windows": (
            lambda store, _, newest: store.rows(new_windows, {
                "log_id": LOG_ID, "seq": newest * 1000 - 1, "oldest": newest - BLOCKS_REMEMBERED, "limit": 16,
            }), True,
        ),
        "tick: last run": (lambda store, _, newest: store.rows(last_run), False),
        "tick: missing windows": (
            lambda store, _, newest: store.rows(missing, {"limit": 16, "kept": KEPT}), False,
        ),
        "tick: unsearched windows": (
            lambda store, _, newest: store.rows(unsearched, {"limit": 16, "seconds": 1, "kept": KEPT}), False,
        ),
        "retention: dry run": (lambda store, _, newest: prune(store, dry_run=True), False),
    }  # fmt: skip


def _replace(store: Store, block: int, _: int) -> int:
    ranks = range(CANDIDATES)
    return store.replace("opportunities", {"block_number": block}, {
        "block_time": [block_time_ns(block)] * CANDIDATES,
        "rank": list(ranks),
        "opportunity_id": [rank.to_bytes(32, "big") for rank in ranks],
        "parent_hash": [bytes(31) + b"p"] * CANDIDATES,
        "kind": ["arbitrage"] * CANDIDATES,
        "tx_hashes": [[bytes(31) + b"t"]] * CANDIDATES,
        "venues": [[]] * CANDIDATES,
        "size_wei": [1] * CANDIDATES,
        "expected_profit_wei": [1] * CANDIDATES,
        "simulated_profit_wei": [None] * CANDIDATES,
        "gas_used": [21_000] * CANDIDATES,
        "verified": [False] * CANDIDATES,
    })  # fmt: skip


def run(options: Options) -> Iterator[Result]:
    """Yield the figures of the store, then those of Dagster's instance."""
    scales = QUICK_SCALES if options.quick else SCALES
    with TemporaryDirectory(prefix="mev-bench-growth-") as folder, ExitStack() as stack:
        stores = _stores(Path(folder), scales, stack)
        for days, store in stores.items():
            options.step(f"filling {days} days of {BLOCKS_A_DAY} blocks")
            fill(store, days)
        yield from _latencies(stores, options)
        yield from _bytes(stores)
    yield from _dagster(scales, options)


def _stores(folder: Path, scales: tuple[int, ...], stack: ExitStack) -> dict[int, Store]:
    """Open a database for each scale in one embedded engine."""
    base = Settings(home=folder)
    stack.enter_context(open_store(base))
    stores = {}
    for days in scales:
        own = base.changed(store={"database": f"days_{days}"})
        stores[days] = stack.enter_context(Store(connect_in_process(own), own))
        stores[days].migrate()
    return stores


def _latencies(stores: dict[int, Store], options: Options) -> Iterator[Result]:
    least, middle, most = stores
    for name, (ask, flat) in questions().items():
        contenders = {str(days): _asking(ask, store, days) for days, store in stores.items()}
        seconds = interleave(
            contenders,
            range(QUESTIONS),
            rounds=QUICK_ROUNDS if options.quick else ROUNDS,
            clock=perf_counter,
            step=lambda text, name=name: options.step(f"{name}: {text}"),  # type: ignore[misc]
        )
        each = {days: seconds[str(days)] / QUESTIONS * 1e3 for days in stores}
        yield judge(
            f"growth {name}",
            each[most],
            "ms",
            limit_value=each[least],
            at_most_limit=AT_MOST_OF_ONE_DAY if flat else None,
            note=f"{most} days of {BLOCKS_A_DAY} blocks; limit: {least} day;"
            f" {middle} days: {each[middle]:.2f} ms",
        )


def _asking(ask: Question, store: Store, days: int) -> Callable[[int], object]:
    blocks = days * BLOCKS_A_DAY
    newest = FIRST_BLOCK + blocks - 1
    return lambda index: ask(store, FIRST_BLOCK + (index * 7_919) % blocks, newest)


def _bytes(stores: dict[int, Store]) -> Iterator[Result]:
    least, _, most = stores
    each = {days: bytes_per_block(store, days) for days, store in stores.items()}
    yield judge(
        "growth store bytes",
        each[most],
        "bytes/block",
        limit_value=each[least],
        at_most_limit=AT_MOST_BYTES,
        note=f"{most} days, on disk, indexes included; limit: {least} day",
    )


def _dagster(scales: tuple[int, ...], options: Options) -> Iterator[Result]:
    """Ask Dagster's instance in a process of its own: the library stays out of this one."""
    options.step("filling Dagster's instance")
    command = [sys.executable, "-m", "resources.runtime.instance_growth", *map(str, scales)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    least, middle, most = map(str, scales)
    for name, found in json.loads(done.stdout).items():
        flat = name.startswith(("tick", "run"))
        yield judge(
            f"growth dagster {name}",
            found["values"][most],
            found["unit"],
            limit_value=found["values"][least],
            at_most_limit=AT_MOST_OF_ONE_DAY if flat else None,
            note=f"{found['note']}; {middle} days: {found['values'][middle]:.4g} {found['unit']}",
        )
