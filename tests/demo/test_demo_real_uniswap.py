"""The real Uniswap contracts, deployed from their npm bytecode on anvil, go the same way as ours:
observed, recorded, executed exactly, searched. Nothing of them is kept."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import npm_uniswap
import pytest
from chain_at_hand import GENESIS, ChainAtHand

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.artifacts import contracts
from mev_dagster.dex.venues.uniswap_v3 import events as uniswap_v3
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.parity import check
from mev_dagster.ingest.recording import record_node
from mev_dagster.ingest.tasks import run_all
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.run import SearchResult, search_block

pytestmark = pytest.mark.anvil

ETHER = 10**18
DEADLINE = GENESIS * 2
FEE_BPS_V3 = 3_000
FULL_RANGE = 887_220  # the largest tick that a 0.3 % pool may use


@pytest.fixture
def node(anvil_binary) -> Iterator[AnvilNode]:
    arguments = ["--chain-id", "31337", "--hardfork", "prague", "--no-mining", "--timestamp", str(GENESIS)]
    with AnvilNode(*arguments, binary=Path(anvil_binary)) as running:
        yield running


async def recorded(node: AnvilNode, chain: ChainAtHand, out: Path, act: Callable[[], None]) -> None:
    """Record the node while `act` fills its mempool, and mine; the state is what executing asks it for."""
    watched, loop = asyncio.Event(), asyncio.get_running_loop()

    async def watch() -> None:
        await record_node(
            node.ws_url, out, blocks=1, on_start=lambda head: loop.call_soon_threadsafe(watched.set)
        )

    async def play() -> None:
        await watched.wait()
        await asyncio.to_thread(act)
        await asyncio.sleep(0.1)  # what is pending shall be seen before it is mined
        await asyncio.to_thread(chain.mine)

    await run_all(watch(), play())


def executes_exactly(path: Path) -> bool:
    report = verify_capture(path)
    assert report.ok, report.errors
    with open_capture(path) as capture:
        (number,) = capture.numbers
        parity = check(
            capture.block(number),
            capture.prestate(number),
            capture.receipts(number),
            get_engine(),
            chain=DEVNET_CHAIN_ID,
        )
    return not parity.differences and parity.receipts_root_matches is True


def searched(path: Path) -> SearchResult:
    with open_capture(path) as capture:
        (inputs,) = capture_inputs(capture, capture.numbers[-1])
        return search_block(inputs, get_engine())


class UniswapV2Market:
    """A token against wrapped ether on two real Uniswap V2 deployments, at the same price."""

    def __init__(self, chain: ChainAtHand) -> None:
        self.chain = chain
        self.weth = chain.deploy(npm_uniswap.weth().creation())
        self.token = chain.deploy(contracts()["token"].creation("Token", "TKN", 18, 10**9 * ETHER))
        self.routers = [self._venue(800), self._venue(500)]

    def _venue(self, depth_ether: int) -> bytes:
        me, chain = self.chain.accounts[0], self.chain
        factory = chain.deploy(npm_uniswap.factory().creation(me))
        router = chain.deploy(npm_uniswap.router().creation(factory, self.weth))
        assert chain.send(self.token, contracts()["token"].call("approve", router, 2**256 - 1)).succeeded
        amount = 1_000 * depth_ether * ETHER
        add = npm_uniswap.router().call("addLiquidityETH", self.token, amount, 0, 0, me, DEADLINE)
        assert chain.send(router, add, value=depth_ether * ETHER).succeeded
        return router

    def buy(self, venue: int, ether: int, least: int, *, sender: int, tip_gwei: int = 1) -> bytes:
        receiver = self.chain.accounts[sender]
        path = [self.weth, self.token]
        data = npm_uniswap.router().call("swapExactETHForTokens", least, path, receiver, DEADLINE)
        router = self.routers[venue]
        return self.chain.submit(router, data, sender=sender, value=ether * ETHER, tip_gwei=tip_gwei)


async def test_uniswap_v2_is_observed_recorded_executed_exactly_and_searched(node, tmp_path):
    chain = ChainAtHand(node)
    market = UniswapV2Market(chain)
    whale = []

    def act() -> None:
        market.buy(1, 1, 0, sender=3)
        whale.append(market.buy(0, 60, 40_000 * ETHER, sender=1, tip_gwei=5))
        chain.submit(chain.accounts[4], b"", sender=2, value=ETHER)

    await recorded(node, chain, tmp_path / "v2", act)
    assert executes_exactly(tmp_path / "v2")

    result = searched(tmp_path / "v2")
    assert set(result.discovery.families.values()) == {"uniswap_v2"}
    verified = {str(c.plan.kind): c for c in result.candidates if c.verified and whale[0] in c.tx_hashes}
    assert {"sandwich", "backrun"} <= set(verified)
    assert verified["sandwich"].simulated_profit_wei > ETHER
    assert verified["backrun"].simulated_profit_wei > ETHER // 10


async def test_uniswap_v3_is_observed_recorded_and_executed_exactly(node, tmp_path):
    chain = ChainAtHand(node)
    me = chain.accounts[0]
    weth = chain.deploy(npm_uniswap.weth().creation())
    token = chain.deploy(contracts()["token"].creation("Token", "TKN", 18, 10**9 * ETHER))
    factory = chain.deploy(npm_uniswap.v3_factory().creation())
    positions = chain.deploy(npm_uniswap.v3_positions().creation(factory, weth, bytes(20)))
    router = chain.deploy(npm_uniswap.v3_router().creation(factory, weth))
    token0, token1 = sorted((weth, token))
    initialize = npm_uniswap.v3_positions().call(
        "createAndInitializePoolIfNecessary", token0, token1, FEE_BPS_V3, 1 << 96
    )
    assert chain.send(positions, initialize).succeeded
    assert chain.send(weth, npm_uniswap.weth().call("deposit"), value=900 * ETHER).succeeded
    for each in (weth, token):
        assert chain.send(each, contracts()["token"].call("approve", positions, 2**256 - 1)).succeeded
    amounts = (500 * ETHER, 500 * ETHER, 0, 0)
    mint = (token0, token1, FEE_BPS_V3, -FULL_RANGE, FULL_RANGE, *amounts, me, DEADLINE)
    assert chain.send(positions, npm_uniswap.v3_positions().call("mint", mint)).succeeded

    sold = 20 * ETHER
    order = (weth, token, FEE_BPS_V3, chain.accounts[1], DEADLINE, sold, 0, 0)
    swap = npm_uniswap.v3_router().call("exactInputSingle", order)

    def act() -> None:
        chain.submit(router, swap, sender=1, value=sold, tip_gwei=3)
        chain.submit(chain.accounts[4], b"", sender=2, value=ETHER)

    await recorded(node, chain, tmp_path / "v3", act)
    assert executes_exactly(tmp_path / "v3")
    with open_capture(tmp_path / "v3") as capture:
        logs = capture.receipts(capture.numbers[0])[0].logs
    swaps = [uniswap_v3.decode_swap(log) for log in logs if log.topics[0] == uniswap_v3.SWAP_TOPIC]
    paid = sold * 997 // 1000
    bought = 500 * ETHER * paid // (500 * ETHER + paid)
    assert [sorted((s.amount0, s.amount1)) for s in swaps] == [[pytest.approx(-bought, rel=1e-9), sold]]
    assert searched(tmp_path / "v3").candidates == ()
