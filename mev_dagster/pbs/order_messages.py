"""What searchers and wallets send a builder, read: `eth_sendBundle`, `mev_sendBundle` and their relatives.

Forms are those of the Flashbots and MEV-Share documentation. A message becomes an order with the blocks it
may enter, or takes an earlier one out. Pure: blocks, arrivals and pending transactions are handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.pbs.order_pool import OrderWindow, Replacement
from mev_dagster.pbs.orders import Order, OrderKind, RefundRule
from mev_dagster.pbs.share_bundles import ShareBundle, ShareTx, order_of

MOST_TRANSACTIONS = 100
MOST_BYTES = 300_000
MOST_BLOCKS_AHEAD = 64
SHARE_BLOCKS = 30
PRIVATE_BLOCKS = 25
FOR_GOOD = 2**64 - 1
"""The number of a cancellation: no later message of the same identifier is higher."""
MOST_DEEP = 5
SHARE_VERSIONS = ("v0.1", "beta-1")
Find = Callable[[bytes], Transaction | None]


@dataclass(frozen=True, slots=True)
class MessageSender:
    """Who sent a message, how many came before it, and the last block that is known."""

    signer: bytes | None
    arrival: int
    head: int


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order to hold, and the answer to whoever sent it."""

    order: Order
    window: OrderWindow
    replacement: Replacement | None
    answer: Any


@dataclass(frozen=True, slots=True)
class SentCancel:
    """An order to take out, by its signer and identifier."""

    replacement: Replacement
    answer: Any


Sent = SentOrder | SentCancel


def read_message(method: str, params: Any, sender: MessageSender, find: Find = lambda tx_hash: None) -> Sent:
    """Read one message; `InputError` says what is wrong and where."""
    reader = READERS.get(method)
    if reader is None:
        raise InputError(f"{method}: no such method; there are {', '.join(sorted(READERS))}")
    if not isinstance(params, list | tuple) or not params:
        raise InputError(f"{method}: expected a list of parameters")
    try:
        return reader(params, sender, find)
    except DecodeError as error:
        raise InputError(f"{method}: {error}") from error
    except InputError as error:
        raise InputError(f"{method}: {error}") from error


def _send_bundle(params: Sequence[Any], sender: MessageSender, _: Find) -> Sent:
    said = _object(params[0])
    replacement = _replacement(said, sender)
    txs = _transactions(said.get("txs"))
    if not txs:
        if replacement is None:
            raise InputError("txs: expected at least one transaction")
        return SentCancel(Replacement(replacement.signer, replacement.identifier, FOR_GOOD), {})
    block = _block(said.get("blockNumber"), "blockNumber", sender)
    window = OrderWindow(block, block, _time(said, "minTimestamp"), _time(said, "maxTimestamp"))
    hashes = [tx.hash for tx in txs]
    reverting = _places(said.get("revertingTxHashes"), "revertingTxHashes", hashes)
    refunds = _refund(said, txs, hashes)
    bundle_hash = keccak(b"".join(hashes))
    terms = repr((window, sorted(reverting), refunds)).encode()
    order = Order(
        keccak(b"bundle" + bundle_hash + terms),
        OrderKind.BUNDLE,
        tuple(txs),
        may_revert=frozenset(reverting),
        refunds=refunds,
    )
    return SentOrder(order, window, replacement, {"bundleHash": to_hex(bundle_hash)})


def _refund(
    said: Mapping[str, Any], txs: Sequence[Transaction], hashes: list[bytes]
) -> tuple[RefundRule, ...]:
    """Return who gets a part of what the bundle's last transaction, or the one named, pays."""
    if said.get("refundPercent") is None:
        return ()
    percent = _number(said["refundPercent"], "refundPercent")
    if percent > 99:
        raise InputError(f"refundPercent: {percent}, at most 99")
    named = _places(said.get("refundTxHashes"), "refundTxHashes", hashes)
    if len(named) > 1:
        raise InputError("refundTxHashes: expected one transaction")
    told = said.get("refundRecipient")
    recipient = txs[0].sender if told is None else _bytes(told, "refundRecipient", 20)
    paying = tuple(named) or (len(txs) - 1,)
    return (RefundRule(paying, percent, ((recipient, 100),)),)


def _cancel_bundle(params: Sequence[Any], sender: MessageSender, _: Find) -> Sent:
    replacement = _replacement(_object(params[0]), sender)
    if replacement is None:
        raise InputError("replacementUuid: expected what the bundle was sent with")
    return SentCancel(Replacement(replacement.signer, replacement.identifier, FOR_GOOD), [])


def _send_share(params: Sequence[Any], sender: MessageSender, find: Find) -> Sent:
    said = _object(params[0])
    bundle, window = _share(said, sender, find, 1)
    order = order_of(bundle)
    return SentOrder(order, window, _replacement(said, sender), {"bundleHash": to_hex(order.order_id)})


def _share(
    said: Mapping[str, Any], sender: MessageSender, find: Find, depth: int
) -> tuple[ShareBundle, OrderWindow]:
    if depth > MOST_DEEP:
        raise InputError(f"body: nested deeper than {MOST_DEEP}")
    version = said.get("version", SHARE_VERSIONS[0])
    if version not in SHARE_VERSIONS:
        raise InputError(f"version: {version!r:.40}, expected {' or '.join(SHARE_VERSIONS)}")
    inclusion = _object(said.get("inclusion"), "inclusion")
    first = _block(inclusion.get("block"), "inclusion.block", sender)
    told = inclusion.get("maxBlock")
    last = first if told is None else _number(told, "inclusion.maxBlock")
    if not first <= last <= first + SHARE_BLOCKS:
        raise InputError(f"inclusion.maxBlock: {last}, expected {first} to {first + SHARE_BLOCKS}")
    body: list[ShareTx | ShareBundle] = []
    for place, item in enumerate(_list(said.get("body"), "body")):
        part, inner = _part(_object(item, f"body[{place}]"), f"body[{place}]", sender, find, depth)
        body.append(part)
        if inner is not None:
            first, last = max(first, inner.first_block), min(last, inner.last_block)
    if first > last:
        raise InputError("inclusion: no block is in the windows of all bundles in it")
    validity = _object(said.get("validity") or {}, "validity")
    refunds = [
        (_number(_object(one).get("bodyIdx"), "bodyIdx"), _number(_object(one).get("percent"), "percent"))
        for one in _list(validity.get("refund") or [], "validity.refund")
    ]
    split = [
        (_bytes(_object(one).get("address"), "address", 20), _number(_object(one).get("percent"), "percent"))
        for one in _list(validity.get("refundConfig") or [], "validity.refundConfig")
    ]
    return ShareBundle(tuple(body), tuple(refunds), tuple(split)), OrderWindow(first, last)


def _part(
    item: Mapping[str, Any], where: str, sender: MessageSender, find: Find, depth: int
) -> tuple[ShareTx | ShareBundle, OrderWindow | None]:
    named = [name for name in ("hash", "tx", "bundle") if item.get(name) is not None]
    if len(named) != 1:
        raise InputError(f"{where}: expected one of hash, tx and bundle")
    if named == ["bundle"]:
        return _share(_object(item["bundle"], where), sender, find, depth + 1)
    if named == ["tx"]:
        may_revert = item.get("canRevert", False)
        if not isinstance(may_revert, bool):
            raise InputError(f"{where}.canRevert: expected true or false")
        (tx,) = _transactions([item["tx"]])
        return ShareTx(tx, may_revert), None
    known = find(_bytes(item["hash"], f"{where}.hash", 32))
    if known is None:
        raise InputError(f"{where}.hash: no pending transaction of this hash is known")
    return ShareTx(known), None


def _private(params: Sequence[Any], sender: MessageSender, _: Find) -> Sent:
    said = {"tx": params[0]} if isinstance(params[0], str) else _object(params[0])
    (tx,) = _transactions([said.get("tx")])
    told = said.get("maxBlockNumber")
    last = sender.head + PRIVATE_BLOCKS if told is None else _block(told, "maxBlockNumber", sender)
    window = OrderWindow(sender.head + 1, last)
    order = Order(tx.hash, OrderKind.BUNDLE, (tx,))
    replacement = Replacement(sender.signer or tx.sender, to_hex(tx.hash), sender.arrival)
    return SentOrder(order, window, replacement, to_hex(tx.hash))


def _cancel_private(params: Sequence[Any], sender: MessageSender, _: Find) -> Sent:
    tx_hash = _bytes(_object(params[0]).get("txHash"), "txHash", 32)
    if sender.signer is None:
        raise InputError("a cancellation has to be signed by who sent the transaction")
    return SentCancel(Replacement(sender.signer, to_hex(tx_hash), FOR_GOOD), True)


READERS: Mapping[str, Callable[[Sequence[Any], MessageSender, Find], Sent]] = {
    "eth_sendBundle": _send_bundle,
    "eth_cancelBundle": _cancel_bundle,
    "mev_sendBundle": _send_share,
    "eth_sendPrivateTransaction": _private,
    "eth_sendPrivateRawTransaction": _private,
    "eth_cancelPrivateTransaction": _cancel_private,
}


def _replacement(said: Mapping[str, Any], sender: MessageSender) -> Replacement | None:
    """Return what a message replaces: its number is its own, else its place among those that arrived."""
    identifier, number = said.get("replacementUuid"), said.get("replacementNonce")
    if identifier is None:
        if number is not None:
            raise InputError("replacementNonce: means nothing without a replacementUuid")
        return None
    if not isinstance(identifier, str) or not 0 < len(identifier) <= 64:
        raise InputError("replacementUuid: expected a string of 64 characters at most")
    told = said.get("signingAddress")
    signer = sender.signer or (None if told is None else _bytes(told, "signingAddress", 20))
    if signer is None:
        raise InputError("replacementUuid: whose it is has to be shown by a signature")
    return Replacement(
        signer, identifier.lower(), sender.arrival if number is None else _number(number, "replacementNonce")
    )


def _transactions(values: Any) -> list[Transaction]:
    found, size = [], 0
    for place, value in enumerate(_list(values, "txs")):
        if place >= MOST_TRANSACTIONS:
            raise InputError(f"txs: more than {MOST_TRANSACTIONS}")
        raw = _bytes(value, f"txs[{place}]")
        size += len(raw)
        if size > MOST_BYTES:
            raise InputError(f"txs: more than {MOST_BYTES} bytes")
        try:
            found.append(decode_transaction(raw))
        except DecodeError as error:
            raise InputError(f"txs[{place}]: {error}") from error
    return found


def _places(values: Any, name: str, hashes: list[bytes]) -> list[int]:
    wanted = [_bytes(value, name, 32) for value in _list(values or [], name)]
    strangers = [one for one in wanted if one not in hashes]
    if strangers:
        raise InputError(f"{name}: {to_hex(strangers[0])} is not in the bundle")
    return sorted({hashes.index(one) for one in wanted})


def _block(value: Any, name: str, sender: MessageSender) -> int:
    block = _number(value, name)
    if not sender.head < block <= sender.head + MOST_BLOCKS_AHEAD:
        raise InputError(f"{name}: {block}, expected {sender.head + 1} to {sender.head + MOST_BLOCKS_AHEAD}")
    return block


def _time(said: Mapping[str, Any], name: str) -> int | None:
    return None if said.get(name) is None else _number(said[name], name) or None


def _number(value: Any, name: str) -> int:
    """Read a quantity: 0x-hex, or a plain number as some clients send it."""
    if isinstance(value, str) and value.startswith("0x") and 2 < len(value) <= 18:
        try:
            return int(value[2:], 16)
        except ValueError:
            pass
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= FOR_GOOD:
        return value
    raise InputError(f"{name}: expected a quantity of 64 bits at most, found {value!r:.40}")


def _bytes(value: Any, name: str, size: int | None = None) -> bytes:
    if not isinstance(value, str):
        raise InputError(f"{name}: expected 0x-hex, found {value!r:.40}")
    try:
        return from_hex(value, size)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise InputError(f"{name}: expected a list, found {value!r:.40}")
    return value


def _object(value: Any, name: str = "parameters") -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name}: expected an object, found {value!r:.40}")
    return value
