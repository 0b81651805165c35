"""What reaches the mempool in one slot: everybody's noise, the script's whales and its extras.

A pure function of the seed, the slot, the pools' reserves and the base fee, so the same play is staged
again from nothing but the source.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from mev_dagster.chain.envelope import ACCESS_LIST, BLOB, DYNAMIC_FEE, LEGACY, SET_CODE
from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.chain.signing import sign_authorization
from mev_dagster.chain.transactions import AccessListEntry, Authorization, Transaction
from mev_dagster.demo.artifacts import contracts
from mev_dagster.demo.blobs import ConstantBlob, with_sidecar
from mev_dagster.demo.cast import Cast, Fees, Wallet
from mev_dagster.demo.market import DOLLAR, ETHER, FOREVER, GWEI, HABITS, WETH, Market, units
from mev_dagster.demo.script import Act, Extra, Order
from mev_dagster.demo.trading import Book, Swap
from mev_dagster.dex.uniswap_v2 import RESERVES_SLOT, TOKEN0_SLOT, TOKEN1_SLOT

FIRST_SECOND, LAST_SECOND = 0.4, 10.8
RETAIL_SLIPPAGE_BPS = (50, 100, 200, 300)
T = TypeVar("T")

LEGACY_IN, ACCESS_LIST_IN = 4, 12  # one legacy transaction in 4, one with an access list in 12


class Sending(NamedTuple):
    """One transaction on its way: when in the slot, what for, and the bytes that are sent."""

    at_seconds: float
    what: str
    transaction: Transaction
    raw: bytes
    fees: Fees


class Whale(NamedTuple):
    """A large swap on its way, as anyone can decode it from the mempool."""

    swap: Swap
    fees: Fees
    at_seconds: float


class Traffic:
    """Everybody but the rival."""

    def __init__(self, cast: Cast, market: Market, seed: str) -> None:
        self._cast = cast
        self._market = market
        self._seed = seed
        self._extras: dict[Extra, Callable[[_Slot], Iterator[Sending]]] = {
            Extra.BLOB: self._blob,
            Extra.DELEGATION: self._delegation,
            Extra.REPLACEMENT: self._replacement,
            Extra.OVERDRAFT: self._overdraft,
            Extra.FAILING_SWAP: self._failing_swap,
            Extra.ADD_LIQUIDITY: self._add_liquidity,
            Extra.REMOVE_LIQUIDITY: self._remove_liquidity,
            Extra.DEPLOYMENT: self._deployment,
        }

    def slot(self, number: int, act: Act, book: Book, base_fee_wei: int) -> tuple[list[Sending], list[Whale]]:
        """Return a slot's transactions in the order they are sent, and the whales in the script's order."""
        slot = _Slot(random.Random(f"{self._seed}/{number}"), book, base_fee_wei)  # noqa: S311 - a play
        sendings = [*self._swaps(slot), *self._transfers(slot)]
        whales = []
        for wallet, order in zip(self._cast.whales, act.orders, strict=False):
            sending, swap = self._whale(slot, wallet, order)
            sendings.append(sending)
            whales.append(Whale(swap, sending.fees, sending.at_seconds))
        for extra in act.extras:
            sendings.extend(self._extras[extra](slot))
        return sorted(_in_nonce_order(sendings), key=lambda sending: sending.at_seconds), whales

    # ---- noise ----

    def _swaps(self, slot: "_Slot") -> Iterator[Sending]:
        indexes = slot.sample(range(len(self._cast.traders)), slot.between(7, 11))
        for index in indexes:
            trader = self._cast.traders[index]
            venue, token = HABITS[index % len(HABITS)]
            swap = self._retail_swap(slot, venue, token)
            yield self._send_swap(slot, trader, swap, "swap")
        for index in slot.sample(
            [i for i in range(len(self._cast.traders)) if i not in indexes], slot.between(2, 5)
        ):
            yield self._token_errand(slot, index)

    def _retail_swap(self, slot: "_Slot", venue: str, token: str) -> Swap:
        """A small swap between ether and the trader's token, now and then on to dollars."""
        share = slot.between(2, 30)  # of 10 000 of the pool
        slippage = slot.choice(RETAIL_SLIPPAGE_BPS)
        to_token, to_ether = (WETH, token), (token, WETH)
        path: tuple[str, ...] = slot.choice((to_token, to_token, to_ether))
        if token != DOLLAR and slot.one_in(6):
            path = (token, WETH, DOLLAR)
        first = slot.book.hop(venue, *path[:2])
        if len(path) == 2 and slot.one_in(4):
            return slot.book.buy(venue, path, first.reserve_out * share // 10_000, slippage)
        return slot.book.sell(venue, path, first.reserve_in * share // 10_000, slippage)

    def _token_errand(self, slot: "_Slot", index: int) -> Sending:
        """Hand some tokens on, or approve the other venue's router."""
        trader = self._cast.traders[index]
        venue, token = HABITS[index % len(HABITS)]
        to = self._market.tokens[token]
        if slot.one_in(3):
            spender = self._market.routers["south" if venue == "north" else "north"]
            data, what = (
                contracts()["token"].call("approve", spender, slot.between(1, 900) * ETHER),
                "approval",
            )
        else:
            other = slot.choice(self._cast.traders)
            amount = units(token, slot.between(1, 400) * ETHER // 1_000)
            data, what = contracts()["token"].call("transfer", other.address, amount), "token transfer"
        return self._send(slot, trader, what, to=to, data=data, gas_limit=90_000)

    def _transfers(self, slot: "_Slot") -> Iterator[Sending]:
        for sender in slot.sample(self._cast.folk, slot.between(5, 8)):
            receiver = slot.choice([folk for folk in self._cast.folk if folk is not sender])
            value = slot.between(1, 5_000) * ETHER // 10_000
            yield self._send(slot, sender, "transfer", to=receiver.address, value_wei=value, gas_limit=21_000)

    # ---- whales ----

    def _whale(self, slot: "_Slot", wallet: Wallet, order: Order) -> tuple[Sending, Swap]:
        """A large swap in a hurry: it pays for a place at the top of the block."""
        reserve = slot.book.hop(order.venue, *order.path[:2]).reserve_in
        amount = reserve * order.per_mille // 1_000
        swap = slot.book.sell(order.venue, order.path, amount, order.slippage_bps)
        fees = slot.fees(slot.between(5_000, 8_000) * GWEI // 1_000)
        return self._send_swap(slot, wallet, swap, "whale", fees=fees, at=(3.0, 8.0)), swap

    # ---- extras ----

    def _blob(self, slot: "_Slot") -> Iterator[Sending]:
        """A rollup offers blobs, thinks better of it and posts calldata under the same nonce.

        The blob transaction is seen and never lands: anvil (1.7.1) hashes the sidecar into the block's
        transactions root, so a block that held it would not be a valid Ethereum block.
        """
        rollup, blobs = self._cast.rollup, (ConstantBlob(0), ConstantBlob(1))[: slot.between(1, 2)]
        nonce, at = rollup.nonce, slot.second(1.5, 4.0)
        first = slot.fees(GWEI)
        offered = rollup.sign(
            first,
            nonce=nonce,
            to=self._cast.builder.address,
            gas_limit=21_000,
            kind=BLOB,
            blob_versioned_hashes=tuple(blob.versioned_hash for blob in blobs),
            max_fee_per_blob_gas_wei=GWEI,
        )
        yield Sending(at, "blob", offered, with_sidecar(offered, blobs), first)
        again = Fees(first.max_fee_wei * 2, first.priority_fee_wei * 2)
        batch = slot.noise(400)
        posted = rollup.sign(again, nonce=nonce, to=self._cast.builder.address, gas_limit=60_000, data=batch)
        rollup.nonce += 1
        yield Sending(at + 2.0, "rollup batch", posted, posted.raw, again)

    def _delegation(self, slot: "_Slot") -> Iterator[Sending]:
        """A sponsor delegates a smart account to wrapped ether's code and calls it at once (EIP-7702)."""
        smart = self._cast.smart_account
        authorization = sign_authorization(
            smart.key, chain_id=DEVNET_CHAIN_ID, address=self._market.weth, nonce=smart.nonce
        )
        smart.nonce += 1
        yield self._send(
            slot,
            self._cast.sponsor,
            "delegation",
            to=smart.address,
            value_wei=slot.between(1, 9) * GWEI,
            data=contracts()["weth"].call("deposit"),
            gas_limit=150_000,
            kind=SET_CODE,
            authorizations=(authorization,),
        )

    def _replacement(self, slot: "_Slot") -> Iterator[Sending]:
        """The same nonce twice: the second pays a third more and goes elsewhere."""
        hasty, receivers = self._cast.hasty, slot.sample(self._cast.folk, 2)
        first = slot.fees(GWEI + slot.between(0, 10**6))
        again = Fees(first.max_fee_wei * 4 // 3, first.priority_fee_wei * 4 // 3)
        nonce, at = hasty.nonce, slot.second(2.0, 5.0)
        for fees, receiver, seconds, what in (
            (first, receivers[0], at, "replaced"),
            (again, receivers[1], at + 2.5, "replacement"),
        ):
            transaction = hasty.sign(
                fees, nonce=nonce, to=receiver.address, value_wei=ETHER // 5, gas_limit=21_000
            )
            yield Sending(seconds, what, transaction, transaction.raw, fees)
        hasty.nonce += 1

    def _overdraft(self, slot: "_Slot") -> Iterator[Sending]:
        """Two payments out of a purse that holds one: the second never lands."""
        for what in ("payment", "overdraft"):
            receiver = slot.choice(self._cast.folk)
            yield self._send(
                slot,
                self._cast.spendthrift,
                what,
                to=receiver.address,
                value_wei=3 * ETHER // 2,
                gas_limit=21_000,
                at=(2.0, 3.0) if what == "payment" else (4.0, 5.0),
            )

    def _failing_swap(self, slot: "_Slot") -> Iterator[Sending]:
        """A minimum output twice the quote: it lands and reverts."""
        venue, token = slot.choice(HABITS)
        quoted = slot.book.sell(venue, (WETH, token), ETHER, 0)
        hopeful = Swap(venue, quoted.path, quoted.amount, quoted.limit * 2)
        yield self._send_swap(slot, self._cast.folk[0], hopeful, "failing swap")

    def _add_liquidity(self, slot: "_Slot") -> Iterator[Sending]:
        provider = self._cast.whales[-1]
        router = contracts()["router"]
        arguments = (self._market.tokens["ALPHA"], units("ALPHA", 30 * ETHER), 0, 0)
        data = router.call("addLiquidityETH", *arguments, provider.address, FOREVER)
        to = self._market.routers["north"]
        yield self._send(
            slot, provider, "add liquidity", to=to, data=data, value_wei=20 * ETHER, gas_limit=350_000
        )

    def _remove_liquidity(self, slot: "_Slot") -> Iterator[Sending]:
        provider = self._cast.whales[-1]
        pool, router = self._market.pool("north", WETH, "ALPHA"), self._market.routers["north"]
        approve = contracts()["pair"].call("approve", router, FOREVER)
        yield self._send(slot, provider, "approval", to=pool, data=approve, gas_limit=90_000, at=(1.0, 2.0))
        arguments = (self._market.tokens["ALPHA"], 50 * ETHER, 0, 0, provider.address, FOREVER)
        data = contracts()["router"].call("removeLiquidityETH", *arguments)
        yield self._send(
            slot, provider, "remove liquidity", to=router, data=data, gas_limit=350_000, at=(3.0, 4.0)
        )

    def _deployment(self, slot: "_Slot") -> Iterator[Sending]:
        code = contracts()["token"].creation("Latecomer", "LATE", 18, 10**24)
        yield self._send(slot, self._cast.folk[-1], "deployment", to=None, data=code, gas_limit=900_000)

    # ---- sending ----

    def _send_swap(
        self,
        slot: "_Slot",
        wallet: Wallet,
        swap: Swap,
        what: str,
        *,
        fees: Fees | None = None,
        at: tuple[float, float] = (FIRST_SECOND, LAST_SECOND),
    ) -> Sending:
        return self._send(
            slot,
            wallet,
            what,
            to=self._market.routers[swap.venue],
            data=swap.calldata(self._market, wallet.address),
            value_wei=swap.value_wei,
            gas_limit=swap.gas_limit,
            fees=fees,
            at=at,
            touches=swap.pools(self._market),
        )

    def _send(
        self,
        slot: "_Slot",
        wallet: Wallet,
        what: str,
        *,
        to: bytes | None,
        gas_limit: int,
        data: bytes = b"",
        value_wei: int = 0,
        fees: Fees | None = None,
        at: tuple[float, float] = (FIRST_SECOND, LAST_SECOND),
        kind: int | None = None,
        touches: tuple[bytes, ...] = (),
        authorizations: tuple[Authorization, ...] = (),
    ) -> Sending:
        fees = fees or slot.fees(slot.between(200, 3_000) * GWEI // 1_000)
        kind = slot.kind(touches) if kind is None else kind
        if kind in {LEGACY, ACCESS_LIST}:
            fees = slot.gas_price(fees)
        slots = tuple(n.to_bytes(32, "big") for n in (TOKEN0_SLOT, TOKEN1_SLOT, RESERVES_SLOT))
        transaction = wallet.sign(
            fees,
            to=to,
            gas_limit=gas_limit + (8_000 * len(touches) if kind == ACCESS_LIST else 0),
            kind=kind,
            value_wei=value_wei,
            data=data,
            access_list=tuple(AccessListEntry(pool, slots) for pool in touches)
            if kind == ACCESS_LIST
            else (),
            authorizations=authorizations,
        )
        return Sending(slot.second(*at), what, transaction, transaction.raw, fees)


def _in_nonce_order(sendings: list[Sending]) -> Iterator[Sending]:
    """Give every sender's moments to its transactions in nonce order."""
    by_sender: dict[bytes, list[Sending]] = {}
    for sending in sendings:
        by_sender.setdefault(sending.transaction.sender, []).append(sending)
    for theirs in by_sender.values():
        moments = sorted(sending.at_seconds for sending in theirs)
        for moment, sending in zip(moments, theirs, strict=True):
            yield sending._replace(at_seconds=moment)


class _Slot:
    """The dice of one slot, and what everybody sees at its start."""

    def __init__(self, dice: random.Random, book: Book, base_fee_wei: int) -> None:
        self._dice = dice
        self.book = book
        self.base_fee_wei = base_fee_wei

    def between(self, low: int, high: int) -> int:
        return self._dice.randint(low, high)

    def noise(self, count: int) -> bytes:
        return self._dice.randbytes(count)

    def one_in(self, count: int) -> bool:
        return self._dice.randrange(count) == 0

    def choice(self, options: Sequence[T]) -> T:
        return options[self._dice.randrange(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        return self._dice.sample(options, count)

    def second(self, low: float, high: float) -> float:
        return round(self._dice.uniform(low, high), 3)

    def fees(self, priority_fee_wei: int) -> Fees:
        """Return fees that stay valid for a few blocks; a random wei keeps offers apart."""
        tip = priority_fee_wei + self._dice.randrange(10**5)
        return Fees(self.base_fee_wei * 5 // 4 + tip, tip)

    def gas_price(self, fees: Fees) -> Fees:
        price = self.base_fee_wei * 9 // 8 + fees.priority_fee_wei
        return Fees(price, price)

    def kind(self, touches: tuple[bytes, ...]) -> int:
        if touches and self.one_in(ACCESS_LIST_IN):
            return ACCESS_LIST
        return LEGACY if self.one_in(LEGACY_IN) else DYNAMIC_FEE
