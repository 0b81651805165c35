"""MEV-Share bundles (`mev_sendBundle`, v0.1): transactions and bundles in one, and who is refunded what.

A bundle is flattened to one order: its transactions in order, which of them may revert, and for each refund
the transactions whose payment it is taken of. Nothing is executed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError
from mev_dagster.pbs.orders import Order, OrderKind, RefundRule

WHOLE_PERCENT = 100
MOST_DEEP = 5
MOST_TRANSACTIONS = 50


@dataclass(frozen=True, slots=True)
class ShareTx:
    """A transaction in a bundle's body."""

    tx: Transaction
    can_revert: bool = False


@dataclass(frozen=True, slots=True)
class ShareBundle:
    """A bundle: its body in order, `refunds` as (index in the body, percent of what the others pay), and how
    what is refunded to this bundle is split, as (address, percent).
    """

    body: tuple["ShareTx | ShareBundle", ...]
    refunds: tuple[tuple[int, int], ...] = ()
    refund_split: tuple[tuple[bytes, int], ...] = ()


@dataclass(slots=True)
class _Flat:
    txs: list[Transaction] = field(default_factory=list)
    may_revert: set[int] = field(default_factory=set)
    refunds: list[RefundRule] = field(default_factory=list)


def order_of(bundle: ShareBundle) -> Order:
    """Return the order a bundle is; one that means nothing is `InputError`."""
    flat = _Flat()
    _flatten(bundle, flat, 1)
    order_id = keccak(b"mev-share" + b"".join(tx.hash for tx in flat.txs) + repr(flat.refunds).encode())
    return Order(
        order_id,
        OrderKind.SHARE_BUNDLE,
        tuple(flat.txs),
        may_revert=frozenset(flat.may_revert),
        refunds=tuple(flat.refunds),
    )


def _flatten(bundle: ShareBundle, flat: _Flat, depth: int) -> None:
    _check(bundle, depth)
    ranges: list[range] = []
    for item in bundle.body:
        begin = len(flat.txs)
        if isinstance(item, ShareBundle):
            _flatten(item, flat, depth + 1)
        else:
            if item.can_revert:
                flat.may_revert.add(begin)
            flat.txs.append(item.tx)
        ranges.append(range(begin, len(flat.txs)))
    if len(flat.txs) > MOST_TRANSACTIONS:
        raise InputError(f"share bundle: more than {MOST_TRANSACTIONS} transactions")
    refunded = {index for index, _ in bundle.refunds}
    paying = tuple(place for index, span in enumerate(ranges) if index not in refunded for place in span)
    for index, percent in bundle.refunds:
        flat.refunds.append(RefundRule(paying, percent, _split_of(bundle.body[index])))


def _split_of(item: ShareTx | ShareBundle) -> tuple[tuple[bytes, int], ...]:
    """Return who is refunded: as the bundle says, else the sender of its first transaction."""
    while isinstance(item, ShareBundle):
        if item.refund_split:
            return item.refund_split
        item = item.body[0]
    return ((item.tx.sender, WHOLE_PERCENT),)


def _check(bundle: ShareBundle, depth: int) -> None:
    if depth > MOST_DEEP:
        raise InputError(f"share bundle: nested deeper than {MOST_DEEP}")
    if not bundle.body:
        raise InputError("share bundle: an empty body")
    indices = [index for index, _ in bundle.refunds]
    if len(set(indices)) != len(indices) or not all(0 <= index < len(bundle.body) for index in indices):
        raise InputError(f"share bundle: refunds of {indices}, expected different indices of the body")
    _percentages("refunds", [percent for _, percent in bundle.refunds], exact=False)
    if bundle.refund_split:
        _percentages("refund_split", [percent for _, percent in bundle.refund_split], exact=True)


def _percentages(name: str, percents: Sequence[int], *, exact: bool) -> None:
    total = sum(percents)
    fits = total == WHOLE_PERCENT if exact else total <= WHOLE_PERCENT
    if not fits or any(percent < 0 for percent in percents):
        expected = "exactly" if exact else "at most"
        raise InputError(f"share bundle: {name} of {list(percents)} percent, expected {expected} 100 in all")
