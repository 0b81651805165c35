"""`mev bench evm`: our py-evm engine against py-evm as it comes, on real Uniswap V2 swaps.

Both execute the same signed swaps on the same state in the same order; senders are recovered beforehand.
The bundle rows try three-transaction sandwiches on one session, which stock py-evm cannot take back. A live
node gives the figures of the node engine, and what loading a state lazily costs in requests and bytes.
"""

import time
from collections.abc import Iterator

from mev_dagster.bench import revm
from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.bench.stock_py_evm import VERSION, StockPyEvm
from mev_dagster.bench.uniswap import ETHER, SANDWICH_GAS, UniswapWorld, build, find_modules
from mev_dagster.chain.transactions import Transaction
from mev_dagster.demo.anvil import AnvilNode, find_anvil
from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.node import NodeEngine
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.rpc import JsonRpc
from mev_dagster.evm.rpc_state import RpcState, fetch_header
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
    options.step("the native engine")
    yield from revm.run(world, rounds)
    try:
        binary = find_anvil()
    except InputError as error:
        yield Result("evm node sandwich bundle", 0.0, "ms", ok=None, note=str(error))
        return
    options.step("the same on a live anvil node")
    with AnvilNode("--hardfork", "prague", "--no-mining", binary=binary) as node:
        rpc = JsonRpc(node.http_url)
        yield from _node_bundles(world, rpc, rounds)
        yield from _prestate_cost(world, rpc)


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


def _node_bundles(world: UniswapWorld, rpc: JsonRpc, rounds: int) -> Iterator[Result]:
    session = NodeEngine(rpc).session(world.state, world.env, begin_block=False)
    bundle = world.sandwich()
    gas = tuple(tx.gas_used for tx in session.run(bundle).txs)
    assert gas == SANDWICH_GAS, "the node is not exact"
    # Wall time: most of it is spent in the node's process.
    best = interleave({"node": lambda _: session.run(bundle)}, [None], rounds=rounds, clock=time.perf_counter)
    yield judge(
        "evm node sandwich bundle",
        1000 * best["node"],
        "ms",
        note="anvil as a stateless worker: whole state in every request, results with state diffs",
    )


def _prestate_cost(world: UniswapWorld, rpc: JsonRpc) -> Iterator[Result]:
    number = _install(world, rpc)
    bundle = world.sandwich()

    def load(state: RpcState, *, hints: bool = False) -> tuple[int, int, int]:
        requests, trips, received = rpc.requests, rpc.round_trips, rpc.bytes_received
        if hints:
            state.prefetch_hints(bundle)
            state.prefetch_transactions(bundle, world.env.coinbase)
        result = get_engine().simulate(state, world.env, bundle, begin_block=False)
        assert tuple(tx.gas_used for tx in result.txs) == SANDWICH_GAS
        return rpc.requests - requests, rpc.round_trips - trips, rpc.bytes_received - received

    state = RpcState.at(rpc, number)
    requests, trips, received = load(state)
    prestate = state.recorded()
    yield judge(
        "evm prestate, cold",
        requests,
        "requests",
        note=f"{trips} round trips, {received:,} bytes with proofs for {len(prestate.accounts)} accounts; "
        f"recorded {len(prestate.canonical()):,} bytes and {len(prestate.codes)} codes",
    )
    requests, trips, received = load(RpcState.at(rpc, number), hints=True)
    yield judge(
        "evm prestate, hints",
        requests,
        "requests",
        note=f"{trips} round trips, {received:,} bytes with proofs",
    )
    diff = get_engine().simulate(state, world.env, bundle, begin_block=False).state_diff
    state.advance(fetch_header(rpc, number), diff)
    requests, trips, received = load(state)
    yield judge(
        "evm prestate, next block",
        requests,
        "requests",
        note=f"{trips} round trips, {received:,} bytes with proofs",
    )


def _install(world: UniswapWorld, rpc: JsonRpc) -> int:
    """Give a node the world's state, and return the number of the block that holds it."""
    calls: list[tuple[str, list[str]]] = []
    for address, account in world.state.accounts.items():
        name = "0x" + address.hex()
        calls.append(("anvil_setBalance", [name, hex(account.balance_wei)]))
        calls.append(("anvil_setNonce", [name, hex(account.nonce)]))
        calls.append(("anvil_setCode", [name, "0x" + world.state.code(account.code_hash).hex()]))
        calls += [
            ("anvil_setStorageAt", [name, f"{slot:#066x}", f"{value:#066x}"])
            for slot, value in account.storage.items()
        ]
    rpc.batch(calls)
    rpc.call("evm_mine")
    return int(rpc.call("eth_blockNumber"), 16)
