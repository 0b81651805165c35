"""The rows of `mev bench evm` for the native engine: a block, a bundle, a thousand candidates on one block.

Every run packs its transactions anew and makes full results with state diff and digest, as a search does.
"""

import time
from collections.abc import Iterator

from mev_dagster.bench.harness import Result, interleave, judge
from mev_dagster.bench.stock_py_evm import VERSION, StockPyEvm
from mev_dagster.bench.uniswap import ETHER, SANDWICH_GAS, UniswapWorld
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.engines import get_engine, native_is_installed
from mev_dagster.evm.types import TxStatus

BLOCK_SWAPS = 200
STOCK_SWAPS = 24
BUNDLES = 64
CANDIDATES = 1_000
AT_LEAST_STOCK = 100.0
BUNDLE_LIMIT_MS = 0.3
CANDIDATES_LIMIT_MS = 1_000.0
_CANDIDATE_ROUNDS = 20

Bundle = tuple[Transaction, Transaction, Transaction]


def run(world: UniswapWorld, rounds: int) -> Iterator[Result]:
    """Yield the figures, or say why there are none."""
    if not native_is_installed():
        note = "mev_native is not installed: run `make native`, which needs cargo"
        yield Result("evm revm block", 0.0, "ms", ok=None, note=note)
        return
    yield _block(world, rounds)
    yield _bundle(world, rounds)
    yield _candidates(world, rounds)


def _block(world: UniswapWorld, rounds: int) -> Result:
    """Execute one block of swaps from its parent's state; the stock engine does the first of them."""
    txs = [world.swap(0, ETHER // 100 + nonce, nonce=nonce) for nonce in range(2, 2 + BLOCK_SWAPS)]
    stock = StockPyEvm(world.state, world.env)
    decoded = stock.decode(txs[:STOCK_SWAPS])
    engines = {name: get_engine(name) for name in ("py_evm", "revm")}

    def execute(name: str) -> tuple[int, bytes]:
        result = engines[name].simulate(world.state, world.env, txs, begin_block=False)
        assert all(tx.status is TxStatus.SUCCESS for tx in result.txs)
        return result.gas_used, result.state_diff_hash

    gas, digest = execute("revm")
    assert (gas, digest) == execute("py_evm"), "the engines disagree"
    best = interleave(
        {
            "revm": lambda _: execute("revm"),
            "py_evm": lambda _: execute("py_evm"),
            "stock": lambda _: stock.run(decoded),
        },
        [None],
        rounds=rounds,
    )
    return judge(
        "evm revm block",
        1000 * best["revm"],
        "ms",
        peer=VERSION,
        peer_value=1000 * best["stock"] * BLOCK_SWAPS / STOCK_SWAPS,
        at_least_peer=AT_LEAST_STOCK,
        note=f"{BLOCK_SWAPS} swaps, {gas / 1e6:.1f} Mgas, {gas / 1e6 / best['revm']:,.0f} Mgas/s; "
        f"{best['py_evm'] / best['revm']:.0f}x our py-evm engine",
    )


def _bundle(world: UniswapWorld, rounds: int) -> Result:
    session = get_engine("revm").session(world.state, world.env, begin_block=False)
    bundle = world.sandwich()
    assert tuple(tx.gas_used for tx in session.run(bundle).txs) == SANDWICH_GAS, "the engine is not exact"

    def trials() -> None:
        for _ in range(BUNDLES):
            session.run(bundle)

    best = interleave({"revm": lambda _: trials()}, [None], rounds=rounds)
    per_bundle = best["revm"] / BUNDLES
    return judge(
        "evm revm sandwich bundle",
        1000 * per_bundle,
        "ms",
        limit_value=BUNDLE_LIMIT_MS,
        at_most_limit=1.0,
        note=f"{1 / per_bundle:,.0f} bundles/s on one core",
    )


def _candidates(world: UniswapWorld, rounds: int) -> Result:
    """Try a thousand different sandwiches on one block, many times over."""
    bundles: list[Bundle] = [
        (
            world.swap(0, ETHER + size),
            world.swap(1, 2 * ETHER),
            world.swap(2, ETHER + size, reverse=True),
        )
        for size in range(CANDIDATES)
    ]
    engine = get_engine("revm")
    passes = []
    for _ in range(min(rounds * 3, _CANDIDATE_ROUNDS)):
        start = time.process_time()
        session = engine.session(world.state, world.env, begin_block=False)
        for bundle in bundles:
            session.run(bundle)
        passes.append(time.process_time() - start)
    p95 = sorted(passes)[int(0.95 * (len(passes) - 1))]
    return judge(
        "evm revm 1,000 candidates, p95",
        1000 * p95,
        "ms",
        limit_value=CANDIDATES_LIMIT_MS,
        at_most_limit=1.0,
        note=f"different sandwiches on one session; {len(passes)} passes, best {1000 * min(passes):.0f} ms",
    )
