"""The devnet's market: wrapped ether, four tokens, two venues, ten pools, and how all of it comes to be.

Everything is known before a single block exists: addresses follow from deployers and nonces, pools from
CREATE2. `setup` lists the transactions that bring the market about, in the order their nonces demand.

Anvil (1.7.1) keeps every slot that a transaction read as zero in its storage tries, where Ethereum has no
zeros, and would end with state roots that nobody else computes. So no slot in use is ever zero: the
protocol fee is on (`feeTo`, `kLast`), and routers and executors keep a little dust of what passes through.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import create2_address, create_address
from mev_dagster.chain.transactions import Transaction
from mev_dagster.demo.artifacts import contracts
from mev_dagster.demo.cast import Cast, Fees, Wallet
from mev_dagster.units import ETHER, GWEI

FOREVER = 2**256 - 1
SETUP_FEES = Fees(200 * GWEI, GWEI)
SEARCHER_INVENTORY_WEI = 300 * ETHER
TRADER_INVENTORY_WEI = 40 * ETHER
WHALE_INVENTORY_WEI = 150 * ETHER
DUST = 1

WETH = "WETH"
DOLLAR = "USD"


class Listing(NamedTuple):
    """A token as first listed: how many of its smallest units one ether buys."""

    name: str
    decimals: int
    units_per_ether: int


TOKENS: Mapping[str, Listing] = {
    DOLLAR: Listing("Devnet Dollar", 6, 3_000 * 10**6),
    "ALPHA": Listing("Alpha", 18, 100 * ETHER),
    "BETA": Listing("Beta", 18, 1_000 * ETHER),
    "GAMMA": Listing("Gamma", 18, 2_000 * ETHER),
}


class Depth(NamedTuple):
    """A pool as first filled: ether's worth on each side."""

    venue: str
    a: str
    b: str
    ether: int


POOLS = (
    Depth("north", WETH, "USD", 900),
    Depth("north", WETH, "ALPHA", 500),
    Depth("north", WETH, "BETA", 300),
    Depth("north", WETH, "GAMMA", 200),
    Depth("north", "ALPHA", "USD", 250),
    Depth("south", WETH, "USD", 600),
    Depth("south", WETH, "ALPHA", 350),
    Depth("south", WETH, "BETA", 200),
    Depth("south", "BETA", "USD", 150),
    Depth("south", "ALPHA", "BETA", 120),
)
VENUES = ("north", "south")
# A trader keeps to one token on one venue.
HABITS = tuple((depth.venue, depth.b) for depth in POOLS if depth.a == WETH)


def units(token: str, ether_wei: int) -> int:
    """Return the amount of `token` first listed for `ether_wei`."""
    return ether_wei if token == WETH else ether_wei * TOKENS[token].units_per_ether // ETHER


@dataclass(frozen=True, slots=True)
class Market:
    """Where everything is."""

    weth: bytes
    tokens: Mapping[str, bytes]
    factories: Mapping[str, bytes]
    routers: Mapping[str, bytes]
    pools: Mapping[tuple[str, frozenset[str]], bytes]
    executors: Mapping[bytes, bytes]

    def pool(self, venue: str, a: str, b: str) -> bytes:
        """Return the address of a venue's pool of two tokens."""
        return self.pools[venue, frozenset((a, b))]

    def names(self) -> dict[str, bytes]:
        """Return every contract by a readable name, as the capture's manifest lists them."""
        pools = {
            f"{venue} {' / '.join(sorted(symbols))}": address
            for (venue, symbols), address in self.pools.items()
        }
        routers = {f"{venue} router": address for venue, address in self.routers.items()}
        factories = {f"{venue} factory": address for venue, address in self.factories.items()}
        tokens = {symbol: address for symbol, address in self.tokens.items() if symbol != WETH}
        return {WETH: self.weth, **tokens, **factories, **routers, **pools}


# The deployer's first creations, by nonce.
_CREATIONS = (
    WETH,
    *TOKENS,
    "blueprint",
    *(f"{venue} {part}" for venue in VENUES for part in ("factory", "router")),
)


def plan(cast: Cast) -> Market:
    """Return where the market will be."""
    at = {name: create_address(cast.deployer.address, nonce) for nonce, name in enumerate(_CREATIONS)}
    tokens = {WETH: at[WETH], **{symbol: at[symbol] for symbol in TOKENS}}
    pair_code = contracts()["pair"].creation()
    pools = {}
    for depth in POOLS:
        token0, token1 = sorted((tokens[depth.a], tokens[depth.b]))
        salt = keccak(token0 + token1)
        address = create2_address(at[f"{depth.venue} factory"], salt, pair_code)
        pools[depth.venue, frozenset((depth.a, depth.b))] = address
    return Market(
        weth=at[WETH],
        tokens=tokens,
        factories={venue: at[f"{venue} factory"] for venue in VENUES},
        routers={venue: at[f"{venue} router"] for venue in VENUES},
        pools=pools,
        executors={wallet.address: create_address(wallet.address, 0) for wallet in cast.bots()},
    )


class _Setup:
    """Signs the setup's transactions in order."""

    def __init__(self, cast: Cast, market: Market) -> None:
        self.cast = cast
        self.market = market

    def deploy(self, wallet: Wallet, code: bytes) -> Transaction:
        # 200 gas a byte of code, 16 a byte of input, and room for the constructor.
        return wallet.sign(SETUP_FEES, to=None, gas_limit=250 * len(code) + 300_000, data=code)

    def call(
        self, wallet: Wallet, to: bytes, data: bytes, *, value_wei: int = 0, gas_limit: int = 120_000
    ) -> Transaction:
        return wallet.sign(SETUP_FEES, to=to, gas_limit=gas_limit, data=data, value_wei=value_wei)

    def approve(self, wallet: Wallet, token: str, venue: str) -> Transaction:
        data = contracts()["token"].call("approve", self.market.routers[venue], FOREVER)
        return self.call(wallet, self.market.tokens[token], data)

    def give(self, token: str, receiver: bytes, amount: int) -> Transaction:
        data = contracts()["token"].call("transfer", receiver, amount)
        return self.call(self.cast.deployer, self.market.tokens[token], data)

    def contracts(self) -> Iterator[Transaction]:
        compiled, deployer, market = contracts(), self.cast.deployer, self.market
        yield self.deploy(deployer, compiled["weth"].creation())
        for symbol, token in TOKENS.items():
            supply = token.units_per_ether * 10**6
            yield self.deploy(
                deployer, compiled["token"].creation(token.name, symbol, token.decimals, supply)
            )
        blueprint = create_address(deployer.address, _CREATIONS.index("blueprint"))
        yield self.deploy(deployer, compiled["pair"].blueprint())
        for venue in VENUES:
            yield self.deploy(deployer, compiled["factory"].creation(deployer.address, blueprint))
            router = compiled["router"].creation(market.factories[venue], market.weth)
            yield self.deploy(deployer, router)
        for venue in VENUES:
            fee_on = compiled["factory"].call("setFeeTo", deployer.address)
            yield self.call(deployer, market.factories[venue], fee_on)

    def dust(self) -> Iterator[Transaction]:
        deployer, market = self.cast.deployer, self.market
        deposit = contracts()["weth"].call("deposit")
        yield self.call(deployer, market.weth, deposit, value_wei=DUST * (len(VENUES) + 1))
        for router in market.routers.values():
            yield self.give(WETH, router, DUST)
        for executor in market.executors.values():
            for symbol in TOKENS:
                yield self.give(symbol, executor, DUST)

    def liquidity(self) -> Iterator[Transaction]:
        deployer, router = self.cast.deployer, contracts()["router"]
        for venue in VENUES:
            for symbol in TOKENS:
                yield self.approve(deployer, symbol, venue)
        for depth in POOLS:
            wei = depth.ether * ETHER
            to = self.market.routers[depth.venue]
            b = self.market.tokens[depth.b]
            if depth.a == WETH:
                arguments = (b, units(depth.b, wei), 0, 0, deployer.address, FOREVER)
                data, value = router.call("addLiquidityETH", *arguments), wei
            else:
                a = self.market.tokens[depth.a]
                amounts = (units(depth.a, wei), units(depth.b, wei), 0, 0)
                data, value = router.call("addLiquidity", a, b, *amounts, deployer.address, FOREVER), 0
            yield self.call(deployer, to, data, value_wei=value, gas_limit=2_600_000)

    def executors(self) -> Iterator[Transaction]:
        compiled, market = contracts(), self.market
        for wallet in self.cast.bots():
            executor = market.executors[wallet.address]
            yield self.deploy(wallet, compiled["executor"].creation(wallet.address, market.weth))
            deposit = compiled["weth"].call("deposit")
            yield self.call(wallet, market.weth, deposit, value_wei=SEARCHER_INVENTORY_WEI + DUST)
            transfer = compiled["weth"].call("transfer", executor, SEARCHER_INVENTORY_WEI)
            yield self.call(wallet, market.weth, transfer)

    def inventories(self) -> Iterator[Transaction]:
        for index, trader in enumerate(self.cast.traders):
            venue, token = HABITS[index % len(HABITS)]
            yield self.give(token, trader.address, units(token, TRADER_INVENTORY_WEI))
            yield self.approve(trader, token, venue)
        for whale in self.cast.whales:
            for symbol in TOKENS:
                yield self.give(symbol, whale.address, units(symbol, WHALE_INVENTORY_WEI))
                for venue in VENUES:
                    yield self.approve(whale, symbol, venue)


def setup(cast: Cast, market: Market) -> Iterator[Transaction]:
    """Yield the transactions that bring the market about."""
    play = _Setup(cast, market)
    yield from play.contracts()
    yield from play.dust()
    yield from play.liquidity()
    yield from play.executors()
    yield from play.inventories()
