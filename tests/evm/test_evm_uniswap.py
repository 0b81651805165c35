"""The real Uniswap V2, from its npm packages: gas known from go-ethereum's rules, and stock py-evm agrees."""

from dataclasses import replace
from pathlib import Path

import pytest

from mev_dagster.bench.stock_py_evm import StockPyEvm
from mev_dagster.bench.uniswap import ETHER, FIRST_SWAP_GAS_LATER, SANDWICH_GAS, build, find_modules
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.types import TxStatus


@pytest.fixture(scope="module")
def world():
    modules = find_modules(Path(__file__).resolve().parent)
    if modules is None:
        pytest.skip("Uniswap's npm packages are absent: run `make setup` with Node.js installed")
    return build(get_engine(), modules)


@pytest.mark.parametrize("reference", [False, True])
def test_a_sandwich_takes_the_gas_it_takes_on_mainnet(world, reference):
    session = PyEvmEngine(reference=reference).session(world.state, world.env, begin_block=False)
    assert tuple(tx.gas_used for tx in session.run(world.sandwich()).txs) == SANDWICH_GAS


def test_twelve_seconds_later_the_first_swap_moves_the_accumulators(world):
    later = replace(world.env, timestamp=world.env.timestamp + 12)
    result = get_engine().simulate(world.state, later, world.sandwich(), begin_block=False)
    assert tuple(tx.gas_used for tx in result.txs) == (FIRST_SWAP_GAS_LATER, *SANDWICH_GAS[1:])


def test_stock_py_evm_uses_the_same_gas(world):
    stock = StockPyEvm(world.state, world.env)
    assert stock.run(stock.decode(world.sandwich())) == sum(SANDWICH_GAS)


def test_a_sandwich_pays_at_its_victims_cost(world):
    session = get_engine().session(world.state, world.env, begin_block=False)
    alone = session.run([world.swap(1, ETHER)])
    squeezed = session.run([world.swap(0, 10 * ETHER), world.swap(1, ETHER)])

    def received(result):
        transfer = result.txs[-1].logs[1]
        return int.from_bytes(transfer.data, "big")

    assert received(squeezed) < received(alone)


def test_a_swap_below_its_minimum_says_so(world):
    result = get_engine().simulate(world.state, world.env, [world.swap(0, ETHER, min_out=ETHER)]).txs[0]
    assert (result.status, result.detail) == (
        TxStatus.REVERTED,
        "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT",
    )
