"""`mev bench evm`: engine by engine on the same work, beside py-evm as it comes, and a live node.

The table is `bench/engines.py`, the search on either engine `bench/search.py`; the node gives the figures
of its engine, and what loading a state lazily costs in requests and bytes.
"""

import time
from collections.abc import Iterator

from mev_dagster.bench import engines, search
from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.bench.uniswap import SANDWICH_GAS, UniswapWorld, build, find_modules
from mev_dagster.demo.anvil import AnvilNode, find_anvil
from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.node.engine import NodeEngine
from mev_dagster.evm.state.rpc_rounds import load_by_rounds
from mev_dagster.evm.state.rpc_state import RpcState, fetch_header
from mev_dagster.evm.types import SimResult, StateSource
from mev_dagster.hexadecimal import to_hex
from mev_dagster.node.http import JsonRpc

NODE_ROUNDS = 5
SEARCH_ROUNDS = 5


def run(options: Options) -> Iterator[Result]:
    """Yield the figures, or say why there are none."""
    modules = find_modules()
    if modules is None:
        note = "Uniswap's npm packages are absent: run `make setup` with Node.js installed"
        yield Result("evm swap", 0.0, "ms", ok=None, note=note)
        return
    options.step("deploying Uniswap V2")
    world = build(get_engine(), modules)
    yield from engines.run(world, quick=options.quick, step=options.step)
    options.step("searching blocks of the shipped capture")
    yield from search.run(2 if options.quick else SEARCH_ROUNDS)
    try:
        binary = find_anvil()
    except InputError as error:
        yield Result("node: 3-transaction bundle", 0.0, "ms", ok=None, note=str(error))
        return
    options.step("the same on a live anvil node")
    with AnvilNode("--hardfork", "prague", "--no-mining", binary=binary) as node:
        rpc = JsonRpc(node.http_url)
        yield from _node_bundles(world, rpc, NODE_ROUNDS)
        yield from _prestate_cost(world, rpc)


def _node_bundles(world: UniswapWorld, rpc: JsonRpc, rounds: int) -> Iterator[Result]:
    session = NodeEngine(rpc).session(world.state, world.env, begin_block=False)
    bundle = world.sandwich()
    gas = tuple(tx.gas_used for tx in session.run(bundle).txs)
    assert gas == SANDWICH_GAS, "the node is not exact"
    # Wall time: most of it is spent in the node's process.
    best = interleave({"node": lambda _: session.run(bundle)}, [None], rounds=rounds, clock=time.perf_counter)
    yield judge(
        "node: 3-transaction bundle",
        1000 * best["node"],
        "ms",
        note="anvil as a stateless worker: whole state in every request, results with state diffs",
    )


def _prestate_cost(world: UniswapWorld, rpc: JsonRpc) -> Iterator[Result]:
    number = _install(world, rpc)
    bundle = world.sandwich()

    def execute(source: StateSource) -> SimResult:
        return get_engine().simulate(source, world.env, bundle, begin_block=False)

    def load(state: RpcState, *, hints: bool = False, rounds: bool = False) -> tuple[int, int, int]:
        requests, trips, received = rpc.requests, rpc.round_trips, rpc.bytes_received
        if hints:
            state.prefetch_hints(bundle)
        if hints or rounds:
            state.prefetch_transactions(bundle, world.env.coinbase)
        if rounds:
            load_by_rounds(state, execute)
        result = execute(state)
        assert tuple(tx.gas_used for tx in result.txs) == SANDWICH_GAS
        return rpc.requests - requests, rpc.round_trips - trips, rpc.bytes_received - received

    def row(name: str, cost: tuple[int, int, int], more: str = "") -> Result:
        requests, trips, received = cost
        note = f"{trips} round trips, {received:,} bytes with proofs{more}"
        return judge(f"node: prestate, {name}", requests, "requests", note=note)

    state = RpcState.at(rpc, number)
    cold = load(state)
    prestate = state.recorded()
    recorded = f"{len(prestate.canonical()):,} bytes and {len(prestate.codes)} codes"
    yield row("cold", cold, f" for {len(prestate.accounts)} accounts; recorded {recorded}")
    yield row("hints", load(RpcState.at(rpc, number), hints=True))
    diff = get_engine().simulate(state, world.env, bundle, begin_block=False).state_diff
    rpc.call("evm_mine")
    state.advance(fetch_header(rpc, number + 1), diff)
    yield row("next block", load(state))


def _install(world: UniswapWorld, rpc: JsonRpc) -> int:
    """Give a node the world's state, and return the number of the block that holds it."""
    calls: list[tuple[str, list[str]]] = []
    for address, account in world.state.accounts.items():
        name = to_hex(address)
        calls.append(("anvil_setBalance", [name, hex(account.balance_wei)]))
        calls.append(("anvil_setNonce", [name, hex(account.nonce)]))
        calls.append(("anvil_setCode", [name, to_hex(world.state.code(account.code_hash))]))
        calls += [
            ("anvil_setStorageAt", [name, f"{slot:#066x}", f"{value:#066x}"])
            for slot, value in account.storage.items()
        ]
    rpc.batch(calls)
    rpc.call("evm_mine")
    return int(rpc.call("eth_blockNumber"), 16)
