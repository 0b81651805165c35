"""`mev bench pbs`: filling a block of real orders, sealing it, its state root, and handing it to a relay.

The orders are the first of a mainnet block's own transactions, on the state it was built on. Figures are CPU
time of this process, the collector off, so that a busy machine tells on them as little as it can.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mev_dagster.bench.harness import Options, Result, judge
from mev_dagster.bench.pbs_loopback import round_trips
from mev_dagster.chain.envelope import BLOB
from mev_dagster.chain.networks import schedule_for
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.block_files import BlockFile, load_block_file
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.whole_tree import root_after, tree_of
from mev_dagster.pbs.context import context_of
from mev_dagster.pbs.filled import BlockPlan, fill
from mev_dagster.pbs.seal import seal
from mev_dagster.pbs.sidecars import Sidecars
from mev_dagster.pbs.sim_values import PLAIN_ORDERINGS

BLOCK = 15_538_827
ORDERS, SEALED, ROUNDS = 300, 200, 41
FILL_P50_MS, FILL_P95_MS, SEAL_MS, ROOT_MS, ACCEPTED_MS = 20.0, 40.0, 10.0, 5.0, 10.0
FILL_P50_TIMES, FILL_P95_TIMES, SEAL_TIMES, ACCEPTED_TIMES = 7.0, 14.0, 4.0, 2.5
_ABSENT = "needs MEV_FIXTURES (blocks_prestate/) and the fast engine: `make native`"


def run(options: Options) -> Iterator[Result]:
    """Yield a row a stage, each against its limit."""
    path = Path(os.environ.get("MEV_FIXTURES", "")) / "blocks_prestate" / f"{BLOCK}.json.zst"
    if not (path.is_file() and native_is_installed()):
        yield Result("pbs", 0.0, "ms", ok=None, note=_ABSENT)
        return
    options.step("reading a mainnet block")
    file = load_block_file(path)
    rounds = 5 if options.quick else ROUNDS
    options.step("filling")
    orders = tuple(tx for tx in file.block.transactions if tx.type != BLOB)[:ORDERS]
    filled, once = _cpu_ms(rounds, _filling(file, orders), _executing(file, orders))
    note = f"{len(orders)} transactions of block {BLOCK}: simulated, in three orderings and merged"
    for percent, times, limit_ms in ((50, FILL_P50_TIMES, FILL_P50_MS), (95, FILL_P95_TIMES, FILL_P95_MS)):
        yield judge(
            f"pbs: fill, p{percent}",
            _quantile(filled, percent),
            "ms",
            limit_value=_quantile(once, 50),
            at_most_limit=times,
            note=f"{note}; the limit is executing them once; aim {limit_ms:g} ms on quiet cores",
        )
    options.step("sealing")
    chosen = orders[:SEALED]
    sealed, once = _cpu_ms(rounds, _sealing(file, chosen), _executing(file, chosen))
    yield judge(
        "pbs: seal",
        _quantile(sealed, 50),
        "ms",
        limit_value=_quantile(once, 50),
        at_most_limit=SEAL_TIMES,
        note=f"{SEALED} transactions; the limit is executing them once; aim {SEAL_MS:g} ms on quiet cores",
    )
    options.step("state root")
    yield _state_root(file, chosen, rounds)
    options.step("handing over")
    trips, needed = asyncio.run(round_trips(5 if options.quick else ROUNDS))
    yield judge(
        "pbs: seal to accepted, p50",
        _quantile(trips, 50),
        "ms",
        limit_value=_quantile(needed, 50),
        at_most_limit=ACCEPTED_TIMES,
        note=f"{SEALED} transactions over HTTP, CPU of both ends; the limit is signing, encoding, decoding "
        f"and judging them without a relay; aim {ACCEPTED_MS:g} ms on quiet cores",
    )


def _filling(file: BlockFile, orders: tuple[Transaction, ...]) -> Callable[[], object]:
    engine, context = get_engine("revm"), context_of(file.block, schedule_for(file.chain_id), 0)
    plan = BlockPlan(engine, context, (), orders, 1, PLAIN_ORDERINGS, Sidecars(context.consensus_fork, {}))
    return lambda: fill(plan, file.prestate, file.block.header.coinbase, 0, None)


def _executing(file: BlockFile, orders: tuple[Transaction, ...]) -> Callable[[], object]:
    engine, context = get_engine("revm"), context_of(file.block, schedule_for(file.chain_id), 0)
    env = context.env(file.block.header.coinbase)
    return lambda: engine.session(file.prestate, env).commit(orders)


def _sealing(file: BlockFile, chosen: tuple[Transaction, ...]) -> Callable[[], object]:
    engine, context = get_engine("revm"), context_of(file.block, schedule_for(file.chain_id), 0)
    return lambda: seal(engine, file.prestate, context, file.block.header.coinbase, chosen)


def _state_root(file: BlockFile, chosen: tuple[Transaction, ...], rounds: int) -> Result:
    """Hash the touched paths of a whole state again; the whole state anew is the peer."""
    context = context_of(file.block, schedule_for(file.chain_id), 0)
    coinbase = file.block.header.coinbase
    changes = seal(get_engine("revm"), file.prestate, context, coinbase, chosen).simulation.state_diff
    whole: Prestate = replace(file.prestate, complete=True)
    tree_of(whole)
    (found,) = _cpu_ms(rounds, lambda: root_after(whole, changes))
    started = time.process_time()
    whole.apply(changes).state_root()
    return judge(
        "pbs: state root",
        _quantile(found, 50),
        "ms",
        peer="the whole state anew",
        peer_value=1e3 * (time.process_time() - started),
        limit_value=ROOT_MS,
        at_most_limit=1.0,
        note=f"{len(changes)} accounts changed of {len(whole.accounts)}, {SEALED} transactions",
    )


def _cpu_ms(rounds: int, *works: Callable[[], object]) -> list[list[float]]:
    """Return the CPU milliseconds of each round, the works taking turns."""
    found: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        for work, times in zip(works, found, strict=True):
            gc.collect(0)
            gc.disable()
            try:
                started = time.process_time()
                work()
                if number:  # the first one fills caches
                    times.append(1e3 * (time.process_time() - started))
            finally:
                gc.enable()
    return found


def _quantile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]
