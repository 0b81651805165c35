"""`mev bench evm`: our py-evm engine against py-evm as it comes, on real Uniswap V2 swaps.

Both execute the same signed swaps on the same state in the same order; senders are recovered beforehand.
The bundle rows try three-transaction sandwiches on one session, which stock py-evm cannot take back.
"""

from collections.abc import Iterator

from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.bench.stock_py_evm import VERSION, StockPyEvm
from mev_dagster.bench.uniswap import ETHER, SANDWICH_GAS, UniswapWorld, build, find_modules
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.types import TxStatus

SWAPS = 24
BUNDLES = 16
ROUNDS = 7
AT_LEAST_STOCK = 1.4
AT_LEAST_MGAS_PER_SECOND = 8.0


def run(options: Options) -> Iterator[Result]:
    """Yield the figures, or say why there are none."""
    modules = find_modules()
    if modules is None:
        note = "Uniswap's npm packages are absent: run `make setup` with Node.js installed"
        yield Result("evm swap", 0.0, "ms", ok=None, note=note)
        return
    rounds = 2 if options.quick else ROUNDS
    options.step("deploying Uniswap V2")
    world = build(get_engine(), modules)
    options.step(f"{SWAPS} swaps, ours and stock")
    yield from _swaps(world, rounds)
    options.step(f"{BUNDLES} sandwich bundles on one session")
    yield from _bundles(world, rounds)


def _swaps(world: UniswapWorld, rounds: int) -> Iterator[Result]:
    txs = [world.swap(0, ETHER // 10 + nonce, nonce=nonce) for nonce in range(2, 2 + SWAPS)]
    stock = StockPyEvm(world.state, world.env)
    decoded = stock.decode(txs)
    engine, reference = PyEvmEngine(), PyEvmEngine(reference=True)

    def ours(which: PyEvmEngine) -> int:
        result = which.simulate(world.state, world.env, txs, begin_block=False)
        assert all(tx.status is TxStatus.SUCCESS for tx in result.txs)
        return result.gas_used

    gas = ours(engine)
    best = interleave(
        {
            "fast": lambda _: ours(engine),
            "reference": lambda _: ours(reference),
            "stock": lambda _: stock.run(decoded),
        },
        [None],
        rounds=rounds,
    )
    peer = 1000 * best["stock"] / SWAPS
    yield judge(
        "evm swap",
        1000 * best["fast"] / SWAPS,
        "ms",
        peer=VERSION,
        peer_value=peer,
        at_least_peer=AT_LEAST_STOCK,
        note=f"{gas / SWAPS:,.0f} gas each",
    )
    yield judge(
        "evm swap, reference loop",
        1000 * best["reference"] / SWAPS,
        "ms",
        peer=VERSION,
        peer_value=peer,
        note="py-evm's own opcodes on our state, for information",
    )
    megagas = gas / 1e6
    yield judge(
        "evm gas",
        1000 * best["fast"] / megagas,
        "ms/Mgas",
        limit_value=1000 / AT_LEAST_MGAS_PER_SECOND,
        at_most_limit=1.0,
        note=f"{megagas / best['fast']:.1f} Mgas/s; stock {megagas / best['stock']:.1f}",
    )


def _bundles(world: UniswapWorld, rounds: int) -> Iterator[Result]:
    session = PyEvmEngine().session(world.state, world.env, begin_block=False)
    bundle: tuple[Transaction, ...] = world.sandwich()
    result = session.run(bundle)
    assert tuple(tx.gas_used for tx in result.txs) == SANDWICH_GAS, "the engine is not exact"

    def trials() -> None:
        for _ in range(BUNDLES):
            session.run(bundle)

    best = interleave({"fast": lambda _: trials()}, [None], rounds=rounds)
    per_bundle = best["fast"] / BUNDLES
    yield judge(
        "evm sandwich bundle",
        1000 * per_bundle,
        "ms",
        note=f"{1 / per_bundle:,.0f} bundles/s on one core; {sum(SANDWICH_GAS):,} gas each",
    )
