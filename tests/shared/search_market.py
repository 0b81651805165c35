"""The devnet's market brought about in memory: what the search sees on it is known to the last wei."""

from collections.abc import Sequence
from types import SimpleNamespace

from mev_dagster.chain.forks import DEVNET_CHAIN_ID, Fork
from mev_dagster.chain.keccak import EMPTY_CODE_HASH
from mev_dagster.chain.transactions import Transaction
from mev_dagster.demo import market as demo_market
from mev_dagster.demo.cast import Cast, Fees, Wallet
from mev_dagster.demo.market import GWEI, WETH
from mev_dagster.demo.trading import Book, Swap
from mev_dagster.dex.registry import discover
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account, BlockEnv, TxStatus
from mev_dagster.features.mempool import PendingTx
from mev_dagster.search.inputs import SearchInputs
from mev_dagster.search.run import SearchResult, search_block
from mev_dagster.search.searcher import Searcher

ETHER = 10**18
BASE_FEE_WEI = 4 * GWEI
FEES = Fees(20 * GWEI, 2 * GWEI)
NOW = 1_767_225_612


def environment(number: int, timestamp: int, gas_limit: int = 30_000_000) -> BlockEnv:
    return BlockEnv(
        chain_id=DEVNET_CHAIN_ID,
        fork=Fork.PRAGUE,
        number=number,
        timestamp=timestamp,
        coinbase=b"\xc0" * 20,
        gas_limit=gas_limit,
        base_fee_per_gas_wei=BASE_FEE_WEI,
        parent_hash=b"\x11" * 32,
    )


class Devnet:
    """The market's state, who plays, and how to search on it."""

    def __init__(self) -> None:
        self.cast = Cast()
        self.market = demo_market.plan(self.cast)
        accounts = {
            wallet.address: Account(5_000 * ETHER, 0, EMPTY_CODE_HASH) for wallet in self.cast.everyone()
        }
        genesis = Prestate(accounts, {}, complete=True)
        setup = list(demo_market.setup(self.cast, self.market))
        built = get_engine().simulate(genesis, environment(1, NOW - 12, 10**9), setup, begin_block=False)
        assert all(result.status is TxStatus.SUCCESS for result in built.txs)
        self.state = genesis.apply(built.state_diff)
        pairs = discover(SimpleNamespace(state=self.state), self.state.accounts).pools
        self.book = Book(self.market, {pair.address: pair for pair in pairs})

    @property
    def searcher(self) -> Searcher:
        wallet = self.cast.searcher
        nonce = self.state.account(wallet.address).nonce
        executor = self.market.executors[wallet.address]
        return Searcher(wallet.key, executor, self.market.weth, nonce, injected=False)

    def swap(self, wallet: Wallet, swap: Swap, fees: Fees = FEES, nonce: int | None = None) -> Transaction:
        """Sign a router swap with the wallet's next nonce in the state, or a later one."""
        return wallet.sign(
            fees,
            to=self.market.routers[swap.venue],
            data=swap.calldata(self.market, wallet.address),
            value_wei=swap.value_wei,
            gas_limit=swap.gas_limit,
            nonce=self.state.account(wallet.address).nonce if nonce is None else nonce,
        )

    def inputs(self, pending: Sequence[Transaction], **changes) -> SearchInputs:
        seen = tuple(PendingTx(tx, NOW * 10**9 - 10**9, 1, False) for tx in pending)
        fields = {"prestate": self.state, "searcher": self.searcher, **changes}
        return SearchInputs(env=environment(2, NOW), pending=seen, at_ns=NOW * 10**9, **fields)

    def search(
        self, pending: Sequence[Transaction], *, budget: int = 64, strategies=None, **changes
    ) -> SearchResult:
        inputs = self.inputs(pending, **changes)
        return search_block(inputs, get_engine(), budget=budget, strategies=strategies)


def ether_for(token: str, venue: str, book: Book, ether: int, slippage_bps: int) -> Swap:
    """A swap of whole ether into a token."""
    return book.sell(venue, (WETH, token), ether * ETHER, slippage_bps)
