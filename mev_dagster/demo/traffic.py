"""What reaches the mempool in one slot: everybody's noise, the script's whales and its extras.

A pure function of the seed, the slot, the pools' reserves and the base fee, so the same play is staged
again from nothing but the source.
"""

import random
from collections.abc import Iterator

from mev_dagster.demo.artifacts import contracts
from mev_dagster.demo.cast import Cast, Wallet
from mev_dagster.demo.extras import EXTRAS
from mev_dagster.demo.market import DOLLAR, HABITS, WETH, Market, units
from mev_dagster.demo.script import Act, WhaleSwap
from mev_dagster.demo.slot import PlayerSlot, Sending, Whale
from mev_dagster.demo.trading import Book, Swap
from mev_dagster.units import ETHER, GWEI

RETAIL_SLIPPAGE_BPS = (50, 100, 200, 300)


class Traffic:
    """Everybody but the rival."""

    def __init__(self, cast: Cast, market: Market, seed: str) -> None:
        self._cast = cast
        self._market = market
        self._seed = seed

    def slot(self, number: int, act: Act, book: Book, base_fee_wei: int) -> tuple[list[Sending], list[Whale]]:
        """Return a slot's transactions in the order they are sent, and the whales in the script's order."""
        slot = PlayerSlot(random.Random(f"{self._seed}/{number}"), book, base_fee_wei)  # noqa: S311 - a play
        sendings = [*self._swaps(slot), *self._transfers(slot)]
        whales = []
        for wallet, order in zip(self._cast.whales, act.orders, strict=False):
            sending, swap = self._whale(slot, wallet, order)
            sendings.append(sending)
            whales.append(Whale(swap, sending.fees, sending.at_seconds))
        for extra in act.extras:
            sendings.extend(EXTRAS[extra](slot, self._cast))
        return sorted(_in_nonce_order(sendings), key=lambda sending: sending.at_seconds), whales

    # ---- noise ----

    def _swaps(self, slot: PlayerSlot) -> Iterator[Sending]:
        indexes = slot.sample(range(len(self._cast.traders)), slot.between(7, 11))
        for index in indexes:
            trader = self._cast.traders[index]
            venue, token = HABITS[index % len(HABITS)]
            swap = self._retail_swap(slot, venue, token)
            yield slot.send_swap(trader, swap, "swap")
        for index in slot.sample(
            [i for i in range(len(self._cast.traders)) if i not in indexes], slot.between(2, 5)
        ):
            yield self._token_errand(slot, index)

    def _retail_swap(self, slot: PlayerSlot, venue: str, token: str) -> Swap:
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

    def _token_errand(self, slot: PlayerSlot, index: int) -> Sending:
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
        return slot.send(trader, what, to=to, data=data, gas_limit=90_000)

    def _transfers(self, slot: PlayerSlot) -> Iterator[Sending]:
        for sender in slot.sample(self._cast.folk, slot.between(5, 8)):
            receiver = slot.choice([folk for folk in self._cast.folk if folk is not sender])
            value = slot.between(1, 5_000) * ETHER // 10_000
            yield slot.send(sender, "transfer", to=receiver.address, value_wei=value, gas_limit=21_000)

    # ---- whales ----

    def _whale(self, slot: PlayerSlot, wallet: Wallet, order: WhaleSwap) -> tuple[Sending, Swap]:
        """A large swap in a hurry: it pays for a place at the top of the block."""
        reserve = slot.book.hop(order.venue, *order.path[:2]).reserve_in
        amount = reserve * order.per_mille // 1_000
        swap = slot.book.sell(order.venue, order.path, amount, order.slippage_bps)
        fees = slot.fees(slot.between(5_000, 8_000) * GWEI // 1_000)
        return slot.send_swap(wallet, swap, "whale", fees=fees, at=(3.0, 8.0)), swap


def _in_nonce_order(sendings: list[Sending]) -> Iterator[Sending]:
    """Give every sender's moments to its transactions in nonce order."""
    by_sender: dict[bytes, list[Sending]] = {}
    for sending in sendings:
        by_sender.setdefault(sending.transaction.sender, []).append(sending)
    for theirs in by_sender.values():
        moments = sorted(sending.at_seconds for sending in theirs)
        for moment, sending in zip(moments, theirs, strict=True):
            yield sending._replace(at_seconds=moment)
