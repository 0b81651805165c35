"""What searchers and wallets send becomes an order, or is refused with what is wrong and where."""

import json

import pytest
from pbs_devnet import ADDRESSES, TIP_JAR, call, transfer

from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.order_entry import OrderEntry, pool_at
from mev_dagster.pbs.order_messages import MessageSender, SentCancel, SentOrder, read_message
from mev_dagster.pbs.order_pool import OrderWindow
from mev_dagster.pbs.orders import OrderKind, RefundRule

SIGNER = b"\x51" * 20
SENDER = MessageSender(SIGNER, 7, 99)
ONE, TWO = transfer(0), call(1, TIP_JAR)


def raw(tx) -> str:
    return to_hex(tx.raw)


def bundle(**fields):
    return {"txs": [raw(ONE), raw(TWO)], "blockNumber": "0x64", **fields}


def share(**fields):
    return {
        "version": "v0.1",
        "inclusion": {"block": "0x64", "maxBlock": "0x66"},
        "body": [{"tx": raw(ONE), "canRevert": True}, {"tx": raw(TWO)}],
        **fields,
    }


def read(method, *params, sender=SENDER, known=()):
    found = {tx.hash: tx for tx in known}
    return read_message(method, json.loads(json.dumps(params)), sender, found.get)


def test_a_bundle_is_its_transactions_in_one_block():
    sent = read("eth_sendBundle", bundle(revertingTxHashes=[to_hex(TWO.hash)], minTimestamp=5))
    assert sent.order.kind is OrderKind.BUNDLE
    assert sent.order.txs == (ONE, TWO)
    assert sent.order.may_revert == {1}
    assert sent.window == OrderWindow(100, 100, 5, None)
    assert sent.replacement is None
    assert sent.answer == {"bundleHash": to_hex(keccak(ONE.hash + TWO.hash))}


def test_a_bundle_refunds_a_part_of_what_its_last_transaction_pays():
    recipient = to_hex(ADDRESSES[5])
    told = read("eth_sendBundle", bundle(refundPercent=90, refundRecipient=recipient))
    named = read("eth_sendBundle", bundle(refundPercent=10, refundTxHashes=[to_hex(ONE.hash)]))
    assert told.order.refunds == (RefundRule((1,), 90, ((ADDRESSES[5], 100),)),)
    assert named.order.refunds == (RefundRule((0,), 10, ((ONE.sender, 100),)),)


def test_bundles_that_differ_in_a_term_are_different_orders():
    plain, other = read("eth_sendBundle", bundle()), read("eth_sendBundle", bundle(blockNumber="0x65"))
    assert plain.answer == other.answer
    assert plain.order.order_id != other.order.order_id


def test_a_share_bundle_has_its_window_its_refunds_and_what_may_revert():
    sent = read("mev_sendBundle", share(validity={"refund": [{"bodyIdx": 0, "percent": 80}]}))
    assert sent.window == OrderWindow(100, 102)
    assert sent.order.may_revert == {0}
    assert sent.order.refunds == (RefundRule((1,), 80, ((ONE.sender, 100),)),)


def test_a_share_bundle_names_what_is_pending_by_its_hash_and_nests():
    inner = share(inclusion={"block": "0x65", "maxBlock": "0x70"}, body=[{"hash": to_hex(ONE.hash)}])
    outer = share(body=[{"bundle": inner}, {"tx": raw(TWO)}])
    sent = read("mev_sendBundle", outer, known=[ONE])
    assert sent.order.txs == (ONE, TWO)
    assert sent.window == OrderWindow(101, 102)
    with pytest.raises(InputError, match="no pending transaction"):
        read("mev_sendBundle", outer)


@pytest.mark.parametrize(
    ("method", "params"),
    [("eth_sendPrivateRawTransaction", raw(ONE)), ("eth_sendPrivateTransaction", {"tx": raw(ONE)})],
)
def test_a_private_transaction_stands_for_some_blocks_and_is_cancelled_by_its_hash(method, params):
    sent = read(method, params)
    cancel = read("eth_cancelPrivateTransaction", {"txHash": to_hex(ONE.hash)})
    assert sent.window == OrderWindow(100, 124)
    assert sent.answer == to_hex(ONE.hash)
    assert isinstance(cancel, SentCancel)
    assert cancel.replacement.key == sent.replacement.key


def test_an_empty_bundle_with_an_identifier_is_a_cancellation():
    assert isinstance(read("eth_sendBundle", bundle(txs=[], replacementUuid="a")), SentCancel)


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("eth_sendBundles", [bundle()], "no such method"),
        ("eth_sendBundle", [], "a list of parameters"),
        ("eth_sendBundle", ["x"], "expected an object"),
        ("eth_sendBundle", [bundle(txs=[])], "at least one"),
        ("eth_sendBundle", [bundle(txs="0x")], "txs: expected a list"),
        ("eth_sendBundle", [bundle(txs=["0x00"])], r"txs\[0\]"),
        ("eth_sendBundle", [bundle(txs=["zz"])], r"txs\[0\]"),
        ("eth_sendBundle", [bundle(txs=[raw(ONE)] * 101)], "more than 100"),
        ("eth_sendBundle", [bundle(txs=["0x" + "00" * 300_001])], "more than 300000 bytes"),
        ("eth_sendBundle", [bundle(blockNumber=None)], "blockNumber"),
        ("eth_sendBundle", [bundle(blockNumber="0x63")], "expected 100 to 163"),
        ("eth_sendBundle", [bundle(blockNumber="0xa4")], "expected 100 to 163"),
        ("eth_sendBundle", [bundle(blockNumber=-1)], "quantity"),
        ("eth_sendBundle", [bundle(blockNumber=True)], "quantity"),
        ("eth_sendBundle", [bundle(blockNumber=1.5)], "quantity"),
        ("eth_sendBundle", [bundle(maxTimestamp="0x" + "f" * 17)], "maxTimestamp"),
        ("eth_sendBundle", [bundle(revertingTxHashes=["0x" + "11" * 32])], "is not in the bundle"),
        ("eth_sendBundle", [bundle(refundPercent=100)], "at most 99"),
        ("eth_sendBundle", [bundle(refundPercent=1, refundRecipient="0x11")], "refundRecipient"),
        ("eth_sendBundle", [bundle(replacementNonce=1)], "without a replacementUuid"),
        ("eth_sendBundle", [bundle(replacementUuid="")], "replacementUuid"),
        ("eth_cancelBundle", [{}], "replacementUuid"),
        ("mev_sendBundle", [share(version="v9")], "version"),
        ("mev_sendBundle", [share(inclusion={"block": "0x64", "maxBlock": "0x90"})], "maxBlock"),
        ("mev_sendBundle", [share(body=[])], "empty body"),
        ("mev_sendBundle", [share(body=[{"tx": raw(ONE), "hash": "0x"}])], "one of hash, tx and bundle"),
        ("mev_sendBundle", [share(body=[{"tx": raw(ONE), "canRevert": 1}])], "canRevert"),
        ("mev_sendBundle", [share(validity={"refund": [{"bodyIdx": 5, "percent": 1}]})], "refunds"),
        ("eth_sendPrivateRawTransaction", ["0x"], "txs"),
    ],
)
def test_what_cannot_be_an_order_says_where(method, params, said):
    with pytest.raises(InputError, match=said):
        read(method, *params)


def test_an_identifier_needs_a_signer():
    unsigned = MessageSender(None, 1, 99)
    with pytest.raises(InputError, match="signature"):
        read("eth_sendBundle", bundle(replacementUuid="a"), sender=unsigned)
    sent = read("eth_sendBundle", bundle(replacementUuid="A", signingAddress=to_hex(SIGNER)), sender=unsigned)
    assert isinstance(sent, SentOrder)
    assert sent.replacement.key == (SIGNER, "a")


def test_what_an_entry_took_makes_the_same_pool_again():
    entry = OrderEntry(find={ONE.hash: ONE}.get)
    entry.landed(99, ())

    def send(method, params):
        return entry.receive(method, [params], signer=SIGNER, received_ns=10**18)

    send("eth_sendBundle", bundle(replacementUuid="a"))
    send("eth_sendBundle", bundle(replacementUuid="a", minTimestamp=1))
    send("eth_sendBundle", bundle(replacementUuid="b", minTimestamp=2))
    send("eth_cancelBundle", {"replacementUuid": "b"})
    send("mev_sendBundle", share(body=[{"hash": to_hex(ONE.hash)}, {"tx": raw(TWO)}]))
    with pytest.raises(InputError, match="cancelled"):
        send("eth_sendBundle", bundle(replacementUuid="b"))
    messages = entry.taken()
    assert entry.taken() == []
    held = list(entry.pool.for_block(100, 10))
    assert [order.kind for order in held].count(OrderKind.BUNDLE) == 1
    assert len(held) == 2
    again = pool_at(list(reversed(messages)), 100, {ONE.hash: ONE}.get)
    assert list(again.for_block(100, 10)) == held
    landed = pool_at(messages, 100, lambda tx_hash: None)
    assert len(list(landed.for_block(100, 10))) == 1, "what a share bundle names has landed since"
