"""The searcher's executor carries out all of its swaps, or nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chain_at_hand import GENESIS, ChainAtHand

from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.artifacts import contracts

ETHER = 10**18
COINBASE = bytes.fromhex("c0" * 20)


class Market:
    """Token A against WETH on two venues, A being 10 % dearer on the second; an executor with 50 WETH."""

    def __init__(self, node: AnvilNode) -> None:
        self.chain = chain = ChainAtHand(node)
        ours = contracts()
        chain.rpc.call("anvil_setCoinbase", ["0x" + COINBASE.hex()])
        self.owner = chain.accounts[0]
        self.weth = chain.deploy(ours["weth"].creation())
        self.token = chain.deploy(ours["token"].creation("A", "A", 18, 10**9 * ETHER))
        blueprint = chain.deploy(ours["pair"].blueprint())
        self.pairs = [self._venue(blueprint, 1000 * ETHER), self._venue(blueprint, 1100 * ETHER)]
        self.executor = chain.deploy(ours["executor"].creation(self.owner, self.weth))
        chain.send(self.weth, ours["weth"].call("deposit"), value=50 * ETHER)
        chain.send(self.weth, ours["weth"].call("transfer", self.executor, 50 * ETHER))

    def _venue(self, blueprint: bytes, weth_amount: int) -> bytes:
        ours, chain = contracts(), self.chain
        factory = chain.deploy(ours["factory"].creation(self.owner, blueprint))
        router = chain.deploy(ours["router"].creation(factory, self.weth))
        chain.send(self.token, ours["token"].call("approve", router, 2**256 - 1))
        add = ours["router"].call("addLiquidityETH", self.token, 10**6 * ETHER, 0, 0, self.owner, GENESIS * 2)
        assert chain.send(router, add, value=weth_amount).succeeded
        return chain.read_address(factory, ours["factory"].call("getPair", self.token, self.weth))

    def out(self, pair: bytes, amount_in: int, *, weth_in: bool) -> tuple[int, int, int]:
        """The pair's answer to an input: (amount0_out, amount1_out, amount)."""
        weth_is_0 = self.weth < self.token
        packed = self.chain.slot(pair, 8)
        reserves = (packed & (2**112 - 1), packed >> 112 & (2**112 - 1))
        reserve_in, reserve_out = reserves if weth_in == weth_is_0 else reserves[::-1]
        amount = amount_in * 997 * reserve_out // (reserve_in * 1000 + amount_in * 997)
        return (0, amount, amount) if weth_in == weth_is_0 else (amount, 0, amount)

    def arbitrage(self, amount_in: int) -> tuple[list[tuple], int]:
        """Buy A where it is cheap, straight into the pair where it is dear; the WETH comes back here."""
        cheap, dear = self.pairs
        a0, a1, bought = self.out(cheap, amount_in, weth_in=True)
        b0, b1, received = self.out(dear, bought, weth_in=False)
        return [
            (cheap, self.weth, amount_in, a0, a1, dear),
            (dear, self.token, 0, b0, b1, self.executor),
        ], received - amount_in

    def execute(self, steps: list[tuple], min_profit: int, payment: int, *, sender: int = 0):
        data = contracts()["executor"].call("execute", steps, self.weth, min_profit, payment)
        return self.chain.send(self.executor, data, sender=sender)

    def weth_of(self, owner: bytes) -> int:
        return int.from_bytes(self.chain.read(self.weth, contracts()["weth"].call("balanceOf", owner)))

    def ether_of(self, owner: bytes) -> int:
        return int(self.chain.rpc.call("eth_getBalance", ["0x" + owner.hex(), "latest"]), 16)


@pytest.fixture
def market(anvil_binary) -> Iterator[Market]:
    arguments = ["--chain-id", "31337", "--hardfork", "prague", "--no-mining", "--timestamp", str(GENESIS)]
    with AnvilNode(*arguments, binary=Path(anvil_binary)) as node:
        yield Market(node)


@pytest.mark.anvil
def test_a_two_pool_arbitrage_earns_what_the_formula_says_and_pays_the_coinbase(market):
    steps, profit = market.arbitrage(20 * ETHER)
    assert profit > ETHER // 2
    paid_before = market.ether_of(COINBASE)
    outcome = market.execute(steps, profit, profit // 2)
    assert outcome.succeeded
    assert market.weth_of(market.executor) == 50 * ETHER + profit - profit // 2
    fees = market.ether_of(COINBASE) - paid_before - profit // 2
    assert 0 < fees < ETHER // 100


@pytest.mark.anvil
def test_a_profit_one_wei_short_reverts_everything(market):
    steps, profit = market.arbitrage(20 * ETHER)
    outcome = market.execute(steps, profit + 1, 0)
    assert not outcome.succeeded
    assert b"executor: not profitable".hex() in outcome.data
    assert market.weth_of(market.executor) == 50 * ETHER


@pytest.mark.anvil
def test_only_its_owner_may_execute_or_withdraw(market):
    steps, _ = market.arbitrage(ETHER)
    assert not market.execute(steps, 0, 0, sender=1).succeeded
    withdraw = contracts()["executor"].call("withdraw", market.weth, ETHER)
    assert not market.chain.send(market.executor, withdraw, sender=1).succeeded
    assert market.chain.send(market.executor, withdraw).succeeded
    assert market.weth_of(market.executor) == 49 * ETHER


@pytest.mark.anvil
def test_its_code_is_the_runtime_followed_by_owner_and_weth(market):
    code = market.chain.rpc.call("eth_getCode", ["0x" + market.executor.hex(), "latest"])
    shipped = contracts()["executor"]
    assert shipped.immutables == ("owner", "weth")
    words = bytes(12) + market.owner + bytes(12) + market.weth
    assert bytes.fromhex(code[2:]) == shipped.runtime + words
