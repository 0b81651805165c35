"""The devnet's contracts: the shipped artifacts are the sources' own, and behave as Uniswap V2 does."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import npm_uniswap
import pytest
from chain_at_hand import GENESIS, ChainAtHand, Outcome

from mev_dagster.demo.abi import signature
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.artifacts import Contract, contracts
from mev_dagster.demo.compile import ARTIFACTS, compile_all, render

DEADLINE = GENESIS + 10**6
ETHER = 10**18
SUPPLY = 10**9 * ETHER
PAIR_SLOTS = {  # UniswapV2ERC20 and UniswapV2Pair, in order of declaration
    "totalSupply": 0,
    "balanceOf": 1,
    "allowance": 2,
    "DOMAIN_SEPARATOR": 3,
    "nonces": 4,
    "factory": 5,
    "token0": 6,
    "token1": 7,
    "packed_reserves": 8,
    "price0CumulativeLast": 9,
    "price1CumulativeLast": 10,
    "kLast": 11,
    "unlocked": 12,
}


def test_the_shipped_artifacts_are_what_the_sources_compile_to():
    pytest.importorskip("vyper")
    assert ARTIFACTS.read_text() == render(compile_all())


def test_the_pair_declares_uniswap_v2s_storage_slots():
    assert contracts()["pair"].storage_slots == PAIR_SLOTS


@pytest.mark.parametrize("name", ["factory", "pair", "router", "weth"])
def test_every_function_and_event_has_the_signature_of_its_real_peer(name):
    real: Contract = getattr(npm_uniswap, name)()
    ours = contracts()[name]
    peers = {(e["type"], _signature(e)) for e in real.abi if e["type"] in {"function", "event"}}
    mine = {(e["type"], _signature(e)) for e in ours.abi if e["type"] in {"function", "event"}}
    assert mine <= peers
    if name in {"factory", "pair", "weth"}:
        assert mine == peers


def _signature(entry) -> str:
    indexed = [p["indexed"] for p in entry["inputs"]] if entry["type"] == "event" else ""
    return f"{signature(entry)}{indexed}"


Step = tuple[str, str, dict[str, int]]

# ---- the same play on both, line by line ----


@dataclass(frozen=True)
class Venue:
    """A factory with its router, whose own addresses are put as names into what it says."""

    chain: ChainAtHand
    factory: bytes
    router: bytes
    weth: bytes
    tokens: tuple[bytes, bytes]
    contracts: dict[str, Contract]

    def pair(self, a: bytes, b: bytes) -> bytes:
        call = self.contracts["factory"].call("getPair", a, b)
        return self.chain.read_address(self.factory, call)

    def named(self, outcome: Outcome) -> str:
        a, b = self.tokens
        names = {
            self.factory: "<factory>",
            self.router: "<router>",
            self.pair(a, b): "<pair ab>",
            self.pair(a, self.weth): "<pair aw>",
        }
        # Uniswap's SafeMath gives overflow a reason ("ds-math-..."); Vyper's checked arithmetic gives none.
        data = "0x" if b"ds-math".hex() in outcome.data else outcome.data
        text = repr((outcome.succeeded, data, outcome.logs))
        for address, name in names.items():
            text = text.replace(address.hex(), name)
        return text

    def state(self) -> dict[str, int]:
        """The pair's storage, less its mappings (Vyper hashes keys in the other order) and own addresses."""
        a, b = self.tokens
        skipped = {"balanceOf", "allowance", "nonces", "DOMAIN_SEPARATOR", "factory"}
        return {
            name: self.chain.slot(self.pair(a, b), slot)
            for name, slot in PAIR_SLOTS.items()
            if name not in skipped
        }


def _venue(node: AnvilNode, real: bool) -> Venue:
    """Deploy in the same order on both nodes, so that tokens, WETH and factories have the same addresses."""
    chain = ChainAtHand(node)
    ours = contracts()
    token_code = ours["token"].creation("Token", "TKN", 18, SUPPLY)
    tokens = (chain.deploy(token_code), chain.deploy(token_code))
    used = {
        "factory": npm_uniswap.factory() if real else ours["factory"],
        "pair": npm_uniswap.pair() if real else ours["pair"],
        "router": npm_uniswap.router() if real else ours["router"],
        "weth": npm_uniswap.weth() if real else ours["weth"],
    }
    weth = chain.deploy(used["weth"].creation())
    blueprint = chain.deploy(ours["pair"].blueprint())
    setter = chain.accounts[0]
    code = used["factory"].creation(setter) if real else used["factory"].creation(setter, blueprint)
    factory = chain.deploy(code)
    router = chain.deploy(used["router"].creation(factory, weth))
    return Venue(chain, factory, router, weth, tokens, used)


@pytest.fixture(scope="module")
def venues(anvil_binary) -> Iterator[tuple[Venue, Venue]]:
    arguments = ["--chain-id", "31337", "--hardfork", "prague", "--no-mining", "--timestamp", str(GENESIS)]
    with (
        AnvilNode(*arguments, binary=Path(anvil_binary)) as one,
        AnvilNode(*arguments, binary=Path(anvil_binary)) as other,
    ):
        yield _venue(one, real=True), _venue(other, real=False)


def play(venue: Venue) -> Iterator[Step]:
    """Every function of router, pair and factory, with inputs that succeed and inputs that must not."""
    rng = random.Random(7)
    chain = venue.chain
    a, b = venue.tokens
    me, other = chain.accounts[0], chain.accounts[1]
    token = contracts()["token"]
    the_factory, the_pair, the_router = (venue.contracts[n] for n in ("factory", "pair", "router"))

    def step(name: str, outcome: Outcome) -> Step:
        return name, venue.named(outcome), venue.state()

    def route(function: str, *arguments, value: int = 0) -> Step:
        sent = chain.send(venue.router, the_router.call(function, *arguments), value=value)
        return step(f"{function} {arguments[:2]} {value}", sent)

    def pool(function: str, *arguments, sender: int = 0) -> Step:
        sent = chain.send(venue.pair(a, b), the_pair.call(function, *arguments), sender=sender)
        return step(f"{function} {arguments}", sent)

    for each in (a, b):
        chain.send(each, token.call("approve", venue.router, 2**256 - 1))
    yield step("same token", chain.send(venue.factory, the_factory.call("createPair", a, a)))
    yield step("create", chain.send(venue.factory, the_factory.call("createPair", b, a)))
    yield step("exists", chain.send(venue.factory, the_factory.call("createPair", a, b)))
    yield step("zero", chain.send(venue.factory, the_factory.call("createPair", a, bytes(20))))
    yield pool("initialize", a, b)
    yield route("addLiquidity", a, b, 5_000 * ETHER, 8_000 * ETHER, 0, 0, me, DEADLINE)
    yield route("addLiquidityETH", a, 900 * ETHER, 0, 0, me, DEADLINE, value=400 * ETHER)
    yield route("addLiquidity", a, b, 50 * ETHER, 70 * ETHER, 1, 1, me, DEADLINE)
    yield route("addLiquidity", a, b, 50 * ETHER, 90 * ETHER, 60 * ETHER, 1, me, DEADLINE)
    yield route("addLiquidityETH", a, 9 * ETHER, 0, 0, me, DEADLINE, value=400 * ETHER)
    for _ in range(6):
        amount = rng.randrange(1, 10 ** rng.randrange(3, 23))
        path = rng.choice([[a, b], [b, a], [b, a, venue.weth], [venue.weth, a, b], [a, venue.weth]])
        if path[0] == venue.weth:
            value = min(amount, 50 * ETHER)
            yield route("swapExactETHForTokens", 1, path, me, DEADLINE, value=value)
            yield route("swapETHForExactTokens", amount // 1000, path, me, DEADLINE, value=value)
        elif path[-1] == venue.weth:
            yield route("swapExactTokensForETH", amount, 1, path, other, DEADLINE)
            yield route("swapTokensForExactETH", amount // 1000, amount, path, other, DEADLINE)
        else:
            yield route("swapExactTokensForTokens", amount, 1, path, me, DEADLINE)
            yield route("swapTokensForExactTokens", amount // 1000, amount, path, me, DEADLINE)
    yield route("swapExactTokensForTokens", ETHER, 10 * ETHER, [a, b], me, DEADLINE)
    yield route("swapTokensForExactTokens", 9 * ETHER, 10**6, [a, b], me, DEADLINE)
    yield route("swapExactTokensForTokens", ETHER, 0, [a, b], me, GENESIS)
    yield route("swapExactTokensForTokens", ETHER, 0, [a], me, DEADLINE)
    yield route("swapExactETHForTokens", 0, [a, b], me, DEADLINE, value=1)
    yield route("swapExactTokensForETH", 1, 0, [a, b], me, DEADLINE)

    # The pair itself: paid and unpaid swaps, both outputs at once, donations, skim and sync.
    yield pool("swap", 10**6, 0, me, b"")
    yield pool("swap", 0, 0, me, b"")
    yield pool("swap", 10**40, 0, me, b"")
    yield pool("swap", 1, 0, a, b"")
    chain.send(a, token.call("transfer", venue.pair(a, b), 3 * ETHER))
    yield pool("swap", ETHER, ETHER, other, b"")
    chain.send(b, token.call("transfer", venue.pair(a, b), 3 * ETHER))
    yield pool("skim", other)
    chain.send(b, token.call("transfer", venue.pair(a, b), 2 * ETHER))
    yield pool("sync")

    # Protocol fee on, growth, mint and burn with it, and off again.
    yield step("not setter", chain.send(venue.factory, the_factory.call("setFeeTo", other), sender=1))
    yield step("fee on", chain.send(venue.factory, the_factory.call("setFeeTo", other)))
    yield route("addLiquidity", a, b, 50 * ETHER, 90 * ETHER, 1, 1, me, DEADLINE)
    yield route("swapExactTokensForTokens", 900 * ETHER, 1, [a, b], me, DEADLINE)
    yield route("addLiquidity", a, b, 50 * ETHER, 90 * ETHER, 1, 1, me, DEADLINE)
    yield pool("approve", venue.router, 10**30)
    yield route("removeLiquidity", a, b, 40 * ETHER, 1, 1, me, DEADLINE)
    yield route("removeLiquidity", a, b, 40 * ETHER, 10**30, 1, me, DEADLINE)
    yield step("fee off", chain.send(venue.factory, the_factory.call("setFeeTo", bytes(20))))
    yield pool("transfer", venue.pair(a, b), 10**18)
    yield pool("burn", me)
    yield pool("burn", me)
    yield pool("transferFrom", me, other, 10**18, sender=1)
    yield pool("approve", other, 10**18)
    yield pool("transferFrom", me, other, 10**18, sender=1)
    yield pool("mint", me)
    aw = venue.pair(a, venue.weth)
    chain.send(aw, the_pair.call("approve", venue.router, 10**30))
    yield route("removeLiquidityETH", a, 10 * ETHER, 1, 1, me, DEADLINE)
    for function, arguments in (
        ("quote", (5, 7, 11)),
        ("getAmountOut", (10**18, 10**21, 3 * 10**21)),
        ("getAmountIn", (10**18, 10**21, 3 * 10**21)),
        ("getAmountsOut", (10**18, [b, a, venue.weth])),
        ("getAmountsIn", (10**15, [b, a, venue.weth])),
        ("getAmountOut", (0, 1, 1)),
        ("getAmountIn", (1, 0, 1)),
    ):
        yield route(function, *arguments)


@pytest.mark.anvil
def test_the_same_inputs_give_the_same_outputs_events_and_storage_as_uniswap_v2(venues):
    real, ours = venues
    steps = 0
    for (name, theirs, their_state), (_, mine, my_state) in zip(play(real), play(ours), strict=True):
        assert mine == theirs, name
        assert my_state == their_state, name
        steps += 1
    assert steps > 50


@pytest.mark.anvil
def test_wrapped_ether_says_what_weth9_says(venues):
    def play_weth(venue: Venue) -> list[tuple]:
        chain, weth = venue.chain, venue.contracts["weth"]
        other = chain.accounts[1]
        sends: list[Callable[[], Outcome]] = [
            lambda: chain.send(venue.weth, weth.call("deposit"), value=5),
            lambda: chain.send(venue.weth, weth.call("deposit"), value=7),
            lambda: chain.send(venue.weth, weth.call("withdraw", 3)),
            lambda: chain.send(venue.weth, weth.call("transfer", other, 2)),
            lambda: chain.send(venue.weth, weth.call("approve", other, 4)),
            lambda: chain.send(venue.weth, weth.call("transferFrom", chain.accounts[0], other, 3), sender=1),
        ]
        return [(outcome.succeeded, outcome.data, outcome.logs) for outcome in (send() for send in sends)]

    real, ours = venues
    assert play_weth(ours) == play_weth(real)
