"""The table of `mev bench evm`: engine by blocks, gas, swap, bundle, a thousand candidates, parity.

Blocks are mainnet's, executed whole from their captured states: system calls, withdrawals, receipts and
their root, state diff and its digest. The stock engine executes their transactions and no more.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mev_dagster.bench.harness import Result, interleave, judge
from mev_dagster.bench.stock_py_evm import VERSION, StockPyEvm
from mev_dagster.bench.uniswap import SANDWICH_GAS, UniswapWorld
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.block_files import BlockFile, block_paths, load_block_file
from mev_dagster.evm.blocks import block_env, execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.parity import check_file
from mev_dagster.evm.types import SimulationEngine, TxStatus
from mev_dagster.units import ETHER

BLOCKS = (22244135, 18426253, 22615247)
SWAPS = 24
BUNDLES = 16
CANDIDATES = 1_000

AT_LEAST_STOCK = {"py_evm": 1.4, "revm": 100.0}
LEAST_MGAS_PER_SECOND = 8.0
BUNDLE_LIMIT_MS = 0.3
CANDIDATES_LIMIT_MS = 1_000.0
_MILLION = 1e6
_SHARE_ROUNDS = 7

Bundle = tuple[Transaction, ...]
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: rounds of everything, candidates of a pass, and how many blocks."""

    rounds: int
    blocks: int | None
    passes: int


def run(world: UniswapWorld, *, quick: bool, step: Step) -> Iterator[Result]:
    """Yield the table, an engine after the other; what is not installed is a row that says so."""
    names = ["py_evm"]
    if native_is_installed():
        names.append("revm")
    else:
        note = "mev_native is not installed: run `make native`, which needs cargo"
        yield Result("revm", 0.0, "ms", ok=None, note=note)
    effort = Effort(rounds=2, blocks=1, passes=2) if quick else Effort(rounds=5, blocks=None, passes=20)
    rows: dict[str, list[Result]] = {name: [] for name in names}
    folder = _fixture_blocks()
    if folder is None:
        yield Result("mainnet blocks", 0.0, "ms", ok=None, note="set MEV_FIXTURES to the mainnet fixtures")
    else:
        _block_rows(folder, rows, effort, step)
    _swap_rows(world, rows, effort, step)
    for name in names:
        step(f"{name}: bundles")
        rows[name] += [_bundle_row(world, name, effort), _candidates_row(world, name, effort)]
        if folder is not None:
            step(f"{name}: parity")
            rows[name].append(_parity_row(folder, name, effort))
    for name in names:
        yield from rows[name]


def _fixture_blocks() -> Path | None:
    folder = Path(os.environ.get("MEV_FIXTURES", "")) / "blocks_prestate"
    return folder if folder.is_dir() else None


def _block_rows(folder: Path, rows: dict[str, list[Result]], effort: Effort, step: Step) -> None:
    """Execute mainnet blocks whole on every engine, interleaved with stock py-evm."""
    files = [load_block_file(folder / f"{number}.json.zst") for number in BLOCKS[: effort.blocks]]
    stocks = {}
    for file in files:
        stock = StockPyEvm(file.prestate, block_env(file.block.header, file.chain_id))
        stocks[file.block.header.number] = (stock, stock.decode(file.block.transactions))
    engines = {name: get_engine(name) for name in rows}

    def executing(engine: SimulationEngine) -> Callable[[BlockFile], None]:
        def execute(file: BlockFile) -> None:
            result = execute_block(engine, file.prestate, file.block, file.chain_id)
            assert result.receipts_root == file.block.header.receipts_root, "the engine is not exact"

        return execute

    def execute_stock(file: BlockFile) -> None:
        stock, decoded = stocks[file.block.header.number]
        assert stock.run(decoded) == file.block.header.gas_used, "the stock engine is not exact"

    contenders = {name: executing(engine) for name, engine in engines.items()} | {"stock": execute_stock}
    best = interleave(contenders, files, rounds=min(effort.rounds, 3), step=step)
    gas = sum(file.block.header.gas_used for file in files)
    for name, found in rows.items():
        note = f"{len(files) / best[name]:.1f} blocks/s; stock {len(files) / best['stock']:.2f}"
        if name == "revm":
            note += (
                f"; {best['py_evm'] / best[name]:.0f}x our py_evm; {_share_of_revm(files):.0%} of it is revm"
            )
        found.append(
            judge(
                f"{name}: mainnet block",
                1000 * best[name] / len(files),
                "ms",
                peer=VERSION,
                peer_value=1000 * best["stock"] / len(files),
                at_least_peer=AT_LEAST_STOCK[name],
                note=note,
            )
        )
        found.append(
            judge(
                f"{name}: gas of mainnet blocks",
                1000 * best[name] / (gas / _MILLION),
                "ms/Mgas",
                peer=VERSION,
                peer_value=1000 * best["stock"] / (gas / _MILLION),
                limit_value=1000 / LEAST_MGAS_PER_SECOND,
                at_most_limit=1.0,
                note=f"{gas / _MILLION / best[name]:,.0f} Mgas/s; stock {gas / _MILLION / best['stock']:.1f}",
            )
        )


def _share_of_revm(files: Sequence[BlockFile]) -> float:
    """Return the share of whole blocks' time that is spent in revm and its state, each at its fastest."""
    from mev_dagster.evm.revm.engine import RevmEngine  # only where the extension is installed

    engine, inside, whole = RevmEngine(), 0.0, 0.0
    for file in files:
        parts, wholes = [], []
        for _ in range(_SHARE_ROUNDS):
            start = time.perf_counter()
            execute_block(engine, file.prestate, file.block, file.chain_id)
            wholes.append(time.perf_counter() - start)
            session = engine.session(file.prestate, block_env(file.block.header, file.chain_id))
            session.commit(file.block.transactions)
            parts.append(session.seconds_executing)
        inside, whole = inside + min(parts), whole + min(wholes)
    return inside / whole


def _swap_rows(world: UniswapWorld, rows: dict[str, list[Result]], effort: Effort, step: Step) -> None:
    """Execute the same signed Uniswap V2 swaps on every engine; senders are recovered beforehand."""
    txs = [world.swap(0, ETHER // 10 + nonce, nonce=nonce) for nonce in range(2, 2 + SWAPS)]
    stock = StockPyEvm(world.state, world.env)
    decoded = stock.decode(txs)
    engines = {name: get_engine(name) for name in rows}

    def swapping(engine: SimulationEngine) -> Callable[[None], None]:
        def swap(_: None) -> None:
            result = engine.simulate(world.state, world.env, txs, begin_block=False)
            assert all(tx.status is TxStatus.SUCCESS for tx in result.txs)

        return swap

    def swap_stock(_: None) -> None:
        stock.run(decoded)

    contenders = {name: swapping(engine) for name, engine in engines.items()} | {"stock": swap_stock}
    best = interleave(contenders, [None], rounds=effort.rounds, step=step)
    for name, found in rows.items():
        found.append(
            judge(
                f"{name}: swap",
                1000 * best[name] / SWAPS,
                "ms",
                peer=VERSION,
                peer_value=1000 * best["stock"] / SWAPS,
                at_least_peer=AT_LEAST_STOCK[name],
                note="Uniswap V2 through its router",
            )
        )


def _bundle_row(world: UniswapWorld, name: str, effort: Effort) -> Result:
    """Try a three-transaction sandwich on a session, which stock py-evm cannot take back."""
    session = get_engine(name).session(world.state, world.env, begin_block=False)
    bundle = world.sandwich()
    assert tuple(tx.gas_used for tx in session.run(bundle).txs) == SANDWICH_GAS, "the engine is not exact"

    def trials(_: None) -> None:
        for _trial in range(BUNDLES):
            session.run(bundle)

    best = interleave({name: trials}, [None], rounds=effort.rounds)[name] / BUNDLES
    limit = BUNDLE_LIMIT_MS if name == "revm" else None
    return judge(
        f"{name}: 3-transaction bundle",
        1000 * best,
        "ms",
        limit_value=limit,
        at_most_limit=1.0,
        note=f"{1 / best:,.0f} bundles/s on one core; {sum(SANDWICH_GAS):,} gas each",
    )


def _candidates_row(world: UniswapWorld, name: str, effort: Effort) -> Result:
    """Try a thousand different sandwiches on one block, many times over; py_evm a tenth of them."""
    count = CANDIDATES if name == "revm" else CANDIDATES // 10
    bundles: list[Bundle] = [
        (
            world.swap(0, ETHER + size),
            world.swap(1, 2 * ETHER),
            world.swap(2, ETHER + size, reverse=True),
        )
        for size in range(count)
    ]
    engine, passes = get_engine(name), []
    for _ in range(effort.passes if name == "revm" else min(effort.passes, 5)):
        start = time.process_time()
        session = engine.session(world.state, world.env, begin_block=False)
        for bundle in bundles:
            session.run(bundle)
        passes.append((time.process_time() - start) * CANDIDATES / count)
    p95 = sorted(passes)[int(0.95 * (len(passes) - 1))]
    scaled = "" if count == CANDIDATES else f"; {count} of them measured"
    return judge(
        f"{name}: 1,000 bundles on one block, p95",
        1000 * p95,
        "ms",
        limit_value=CANDIDATES_LIMIT_MS if name == "revm" else None,
        at_most_limit=1.0,
        note=f"different sandwiches; {len(passes)} passes, best {1000 * min(passes):,.0f} ms{scaled}",
    )


def _parity_row(folder: Path, name: str, effort: Effort) -> Result:
    """Count what differs from mainnet's receipts and roots over all fixture blocks."""
    engine = get_engine(name)
    paths = block_paths(folder)[: effort.blocks and 10 * effort.blocks]
    found = [check_file(load_block_file(path), engine) for path in paths]
    wrong = sum(len(parity.differences) for parity in found)
    txs = sum(parity.txs for parity in found)
    seconds = sum(parity.seconds for parity in found)
    return Result(
        f"{name}: parity mismatches",
        float(wrong),
        "",
        budget="none",
        ok=wrong == 0,
        note=f"{len(found)} mainnet blocks, {txs:,} transactions, {seconds:.1f} s in the engine",
    )
