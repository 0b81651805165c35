"""`mev bench native`: the fast engine beside revm called from Rust, and what its budgets are about.

The peer is `native/benches/blocks.rs`: the same revm with its own cache database, the same transactions on
the same prestate, in the same run. It only executes; the engine also reports, and digests receipts and diff.
Both are measured in time on a core, so that what else runs on the machine counts as little as it can.
"""

import gc
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from struct import pack

from mev_dagster.bench.harness import Options, Result, judge
from mev_dagster.bench.uniswap import UniswapWorld, build, find_modules
from mev_dagster.chain.fees import blob_base_fee
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError
from mev_dagster.evm.block_files import BlockFile, load_block_file
from mev_dagster.evm.blocks import BlockResult, block_env, execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.revm.engine import RevmEngine
from mev_dagster.evm.revm.wire import pack_accounts, pack_transaction, word
from mev_dagster.evm.types import Account, TxResult
from mev_dagster.units import ETHER

CRATE = Path(__file__).resolve().parents[2] / "native"
BLOCKS = ("blocks_prestate/22244135", "blocks_prestate/18426253", "blocks_recent/24628607")
ROUNDS, TURNS = 10, 5
PEER = "revm from Rust"
AT_MOST_PEER = 1.3
BUNDLE_LIMIT_MS = 0.15
ROOT_LIMIT_MS = 10.0
CANDIDATES = 1_000
CANDIDATES_LIMIT_MS = 150.0
PASSES = 20
_BUILD_SECONDS = 3_600.0

Bundle = tuple[Transaction, ...]


def run(options: Options) -> Iterator[Result]:
    """Yield the figures, or say why there are none."""
    if not native_is_installed():
        yield Result("revm", 0.0, "ms", ok=None, note="mev_native is absent or old: run `make native`")
        return
    rounds = 3 if options.quick else ROUNDS
    fixtures = Path(os.environ.get("MEV_FIXTURES", ""))
    if (fixtures / "blocks_recent").is_dir():
        for name in BLOCKS:
            options.step(f"block {name}")
            yield _block_row(load_block_file(fixtures / f"{name}.json.zst"), rounds)
        yield from _root_rows(fixtures / "blocks_recent", rounds)
    else:
        yield Result("mainnet blocks", 0.0, "ms", ok=None, note="set MEV_FIXTURES to the mainnet fixtures")
    modules = find_modules()
    if modules is not None:
        options.step("bundles")
        yield from _bundle_rows(build(get_engine("revm"), modules), 3 if options.quick else PASSES)


def _block_row(file: BlockFile, rounds: int) -> Result:
    engine, number = get_engine("revm"), file.block.header.number
    found: list[float] = []
    read: list[float] = []
    peers: list[float | None] = []
    for _ in range(TURNS):  # in turns: what else runs on the machine meets both alike
        peers.append(_peer_seconds(file, rounds))
        for _round in range(rounds):
            gc.collect()
            gc.disable()
            start = time.thread_time()
            result = execute_block(engine, file.prestate, file.block, file.chain_id)
            found.append(time.thread_time() - start)
            _read(result)
            read.append(time.thread_time() - start)
            gc.enable()
    peer = min((seconds for seconds in peers if seconds is not None), default=None)
    if peer is None:
        note = "the peer is built by cargo, which is absent or could not"
        return Result(f"revm: block {number}", 1000 * min(found), "ms", ok=None, note=note)
    return judge(
        f"revm: block {number}",
        1000 * min(found),
        "ms",
        peer=PEER,
        peer_value=1000 * peer,
        limit_value=1000 * peer * AT_MOST_PEER,
        at_most_limit=1.0,
        note=f"{min(found) / peer:.2f}x the peer; {len(file.block.transactions)} transactions; "
        f"{1000 * min(read):.2f} ms with every field of every result read",
    )


def _read(result: BlockResult) -> None:
    """Read all there is: results are made when they are asked for."""
    names = [field.name for field in fields(TxResult)]
    for tx in result.sim.txs:
        for name in names:
            getattr(tx, name)
    dict(result.state_diff)


def _peer_seconds(file: BlockFile, rounds: int) -> float | None:
    """Return the peer's fastest round, None where it cannot be built."""
    if shutil.which("cargo") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder, "block.bin")
        packed.write_bytes(_packed(file))
        command = ["cargo", "bench", "-q", "--locked", "--bench", "blocks", "--", str(packed), str(rounds)]
        ended = subprocess.run(
            command, cwd=CRATE, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
    if ended.returncode != 0:
        return None
    found = json.loads(ended.stdout.strip().splitlines()[-1])
    if found["gas"] != file.block.header.gas_used:
        raise InputError(f"block {file.block.header.number}: the peer used {found['gas']} gas")
    return float(min(found["seconds"]))


def _packed(file: BlockFile) -> bytes:
    env = block_env(file.block.header, file.chain_id)
    spec = {Fork.SHANGHAI: "Shanghai", Fork.CANCUN: "Cancun", Fork.PRAGUE: "Prague"}.get(env.fork, "Osaka")
    fee = blob_base_fee(env.excess_blob_gas or 0, env.blob_parameters) if env.fork >= Fork.CANCUN else 0
    state = _after_begin(file)
    accounts = pack_accounts(state.items())
    parts = [
        pack(">I", len(spec)) + spec.encode(),
        pack(">QQQ", env.chain_id, env.number, env.timestamp) + env.coinbase,
        pack(">QQ", env.gas_limit, env.base_fee_per_gas_wei or 0),
        word(env.difficulty) + env.prev_randao + word(fee) + pack(">Q", env.slot_number or 0),
        pack(">I", len(accounts)) + accounts,
        pack(">I", len(file.prestate.codes)),
        *(found + pack(">I", len(code)) + code for found, code in file.prestate.codes.items()),
        pack(">I", len(file.prestate.block_hashes)),
        *(pack(">Q", number) + found for number, found in file.prestate.block_hashes.items()),
        pack(">I", len(file.block.transactions)),
    ]
    for tx in file.block.transactions:
        packed = pack_transaction(tx, refused=False)
        parts.append(pack(">I", len(packed)) + packed)
    return b"".join(parts)


def _after_begin(file: BlockFile) -> dict[bytes, Account]:
    """Return the accounts after the system calls before the first transaction: the peer begins there."""
    env = block_env(file.block.header, file.chain_id)
    begun = get_engine("revm").simulate(file.prestate, env, [])
    return dict(file.prestate.apply(begun.state_diff).accounts)


def _root_rows(folder: Path, rounds: int) -> Iterator[Result]:
    for path in sorted(folder.glob("2*[0-9].json.zst")):
        file = load_block_file(path)
        if file.witness is None:
            continue
        result = execute_block(get_engine("revm"), file.prestate, file.block, file.chain_id)
        found = []
        for _ in range(rounds):
            start = time.thread_time()
            root = file.witness.root_after(result.state_diff)
            found.append(time.thread_time() - start)
        assert root == file.block.header.state_root, "the root is not the header's"
        yield judge(
            f"revm: state root of block {file.block.header.number}",
            1000 * min(found),
            "ms",
            limit_value=ROOT_LIMIT_MS,
            at_most_limit=1.0,
            note=f"from its witness; {len(result.state_diff)} accounts changed",
        )


def _bundle_rows(world: UniswapWorld, passes: int) -> Iterator[Result]:
    session = get_engine("revm").session(world.state, world.env, begin_block=False)
    bundle, found = world.sandwich(), []
    for _ in range(50 * passes):
        start = time.thread_time()
        session.run(bundle)
        found.append(time.thread_time() - start)
    yield judge(
        "revm: bundle of three",
        1000 * min(found),
        "ms",
        limit_value=BUNDLE_LIMIT_MS,
        at_most_limit=1.0,
        note=f"fastest of {len(found)}, median {1000 * sorted(found)[len(found) // 2]:.3f} ms",
    )
    bundles = [
        (world.swap(0, ETHER + size), world.swap(1, 2 * ETHER), world.swap(2, ETHER + size, reverse=True))
        for size in range(CANDIDATES)
    ]
    one = _many(world, bundles, 1, passes)
    yield judge(
        "revm: 1,000 bundles, one core, p95",
        1000 * one,
        "ms",
        limit_value=CANDIDATES_LIMIT_MS,
        at_most_limit=1.0,
        note=f"different sandwiches on one block, {passes} passes",
    )
    if len(os.sched_getaffinity(0)) > 1:
        two = _many(world, bundles, 2, passes)
        yield judge(
            "revm: 1,000 bundles, two cores, p95",
            1000 * two,
            "ms",
            peer="one core",
            peer_value=1000 * one,
            note="wall time, and only as good as the second core is free",
        )


def _many(world: UniswapWorld, bundles: Sequence[Bundle], threads: int, passes: int) -> float:
    engine, found = RevmEngine(), []
    for _ in range(passes):
        # The collector is off while the clock runs, as in every bench: a thousand results are many objects.
        clock = time.process_time if threads == 1 else time.perf_counter
        gc.collect()
        gc.disable()
        start = clock()
        session = engine.session(world.state, world.env, begin_block=False)
        session.run_many(bundles, threads=threads)
        found.append(clock() - start)
        gc.enable()
    return sorted(found)[int(0.95 * (len(found) - 1))]
