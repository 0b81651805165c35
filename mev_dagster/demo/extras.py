"""The transactions that the noise does not bring: one function for each kind of the script's extras."""

from collections.abc import Callable, Iterator, Mapping

from mev_dagster.chain.envelope import BLOB, SET_CODE
from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.chain.signing import sign_authorization
from mev_dagster.demo.artifacts import contracts
from mev_dagster.demo.blobs import ConstantBlob, with_sidecar
from mev_dagster.demo.cast import Cast, Fees
from mev_dagster.demo.market import FOREVER, HABITS, WETH, units
from mev_dagster.demo.script import Extra
from mev_dagster.demo.slot import PlayerSlot, Sending
from mev_dagster.demo.trading import Swap
from mev_dagster.units import ETHER, GWEI


def _blob(slot: PlayerSlot, cast: Cast) -> Iterator[Sending]:
    """A rollup offers blobs, thinks better of it and posts calldata under the same nonce.

    The blob transaction is seen and never lands: anvil (1.7.1) hashes the sidecar into the block's
    transactions root, so a block that held it would not be a valid Ethereum block.
    """
    rollup, blobs = cast.rollup, (ConstantBlob(0), ConstantBlob(1))[: slot.between(1, 2)]
    nonce, at = rollup.nonce, slot.second(1.5, 4.0)
    first = slot.fees(GWEI)
    offered = rollup.sign(
        first,
        nonce=nonce,
        to=cast.builder.address,
        gas_limit=21_000,
        kind=BLOB,
        blob_versioned_hashes=tuple(blob.versioned_hash for blob in blobs),
        max_fee_per_blob_gas_wei=GWEI,
    )
    yield Sending(at, "blob", offered, with_sidecar(offered, blobs), first)
    again = Fees(first.max_fee_wei * 2, first.priority_fee_wei * 2)
    batch = slot.noise(400)
    posted = rollup.sign(again, nonce=nonce, to=cast.builder.address, gas_limit=60_000, data=batch)
    rollup.nonce += 1
    yield Sending(at + 2.0, "rollup batch", posted, posted.raw, again)


def _delegation(slot: PlayerSlot, cast: Cast) -> Iterator[Sending]:
    """A sponsor delegates a smart account to wrapped ether's code and calls it at once (EIP-7702)."""
    smart = cast.smart_account
    authorization = sign_authorization(
        smart.key, chain_id=DEVNET_CHAIN_ID, address=slot.market.weth, nonce=smart.nonce
    )
    smart.nonce += 1
    yield slot.send(
        cast.sponsor,
        "delegation",
        to=smart.address,
        value_wei=slot.between(1, 9) * GWEI,
        data=contracts()["weth"].call("deposit"),
        gas_limit=150_000,
        kind=SET_CODE,
        authorizations=(authorization,),
    )


def _replacement(slot: PlayerSlot, cast: Cast) -> Iterator[Sending]:
    """The same nonce twice: the second pays a third more and goes elsewhere."""
    hasty, receivers = cast.hasty, slot.sample(cast.folk, 2)
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


def _overdraft(slot: PlayerSlot, cast: Cast) -> Iterator[Sending]:
    """Two payments out of a purse that holds one: the second never lands."""
    for what in ("payment", "overdraft"):
        receiver = slot.choice(cast.folk)
        yield slot.send(
            cast.spendthrift,
            what,
            to=receiver.address,
            value_wei=3 * ETHER // 2,
            gas_limit=21_000,
            at=(2.0, 3.0) if what == "payment" else (4.0, 5.0),
        )


def _failing_swap(slot: PlayerSlot, cast: Cast) -> Iterator[Sending]:
    """A minimum output twice the quote: it lands and reverts."""
    venue, token = slot.choice(HABITS)
    quoted = slot.book.sell(venue, (WETH, token), ETHER, 0)
    hopeful = Swap(venue, quoted.path, quoted.amount, quoted.limit * 2)
    yield slot.send_swap(cast.folk[0], hopeful, "failing swap")


def _add_liquidity(slot: PlayerSlot, cast: Cast) -> Iterator[Sending]:
    provider = cast.whales[-1]
    router = contracts()["router"]
    arguments = (slot.market.tokens["ALPHA"], units("ALPHA", 30 * ETHER), 0, 0)
    data = router.call("addLiquidityETH", *arguments, provider.address, FOREVER)
    to = slot.market.routers["north"]
    yield slot.send(provider, "add liquidity", to=to, data=data, value_wei=20 * ETHER, gas_limit=350_000)


def _deployment(slot: PlayerSlot, cast: Cast) -> Iterator[Sending]:
    code = contracts()["token"].creation("Latecomer", "LATE", 18, 10**24)
    yield slot.send(cast.folk[-1], "deployment", to=None, data=code, gas_limit=900_000)


EXTRAS: Mapping[Extra, Callable[[PlayerSlot, Cast], Iterator[Sending]]] = {
    Extra.BLOB: _blob,
    Extra.DELEGATION: _delegation,
    Extra.REPLACEMENT: _replacement,
    Extra.OVERDRAFT: _overdraft,
    Extra.FAILING_SWAP: _failing_swap,
    Extra.ADD_LIQUIDITY: _add_liquidity,
    Extra.DEPLOYMENT: _deployment,
}
