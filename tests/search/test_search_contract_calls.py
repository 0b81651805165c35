"""A pool without a formula is quoted by its own contract, at the top of the block and behind transactions."""

import pytest
from search_market import Devnet, ether_for

from mev_dagster.demo.market import WETH
from mev_dagster.dex.abi import encode_words, selector, word
from mev_dagster.errors import Unquotable
from mev_dagster.evm.engines import get_engine
from mev_dagster.search.contract_calls import EngineChain
from mev_dagster.units import ETHER

RESERVES = selector("getReserves()")
AMOUNT_OUT = selector("getAmountOut(uint256,uint256,uint256)")


@pytest.fixture(scope="module")
def devnet() -> Devnet:
    return Devnet()


def test_the_contracts_quote_is_the_formulas(devnet):
    chain = EngineChain(get_engine(), devnet.state, devnet.inputs([]).env)
    hop = devnet.book.hop("north", WETH, "ALPHA")
    answer = chain.call(
        devnet.market.routers["north"], AMOUNT_OUT + encode_words((ETHER, hop.reserve_in, hop.reserve_out))
    )
    assert word(answer, 0) == devnet.book.quote("north", (WETH, "ALPHA"), ETHER)


def test_behind_a_transaction_the_contract_answers_from_the_state_it_left(devnet):
    tx = devnet.swap(devnet.cast.whales[0], ether_for("ALPHA", "north", devnet.book, 20, 100))
    pool = devnet.market.pool("north", WETH, "ALPHA")
    env = devnet.inputs([]).env
    before = EngineChain(get_engine(), devnet.state, env).call(pool, RESERVES)
    chain = EngineChain(get_engine(), devnet.state, env, (tx,))
    assert (
        sorted({word(chain.call(pool, RESERVES), at) - word(before, at) for at in (0, 1)})[-1] == 20 * ETHER
    )
    assert chain.call(pool, RESERVES) == chain.call(pool, RESERVES)
    assert chain.state.account(tx.sender).nonce == devnet.state.account(tx.sender).nonce + 1


def test_a_contract_that_refuses_is_unquotable(devnet):
    chain = EngineChain(get_engine(), devnet.state, devnet.inputs([]).env)
    with pytest.raises(Unquotable, match="does not answer"):
        chain.call(devnet.market.routers["north"], b"\xff\xff\xff\xff")
