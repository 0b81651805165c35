"""Blocks and receipts as a capture stores them: canonical RLP, checked when read.

A block is stored as `[header, [raw transaction, ...], [uncle header, ...], withdrawals?]`. It differs
from the wire form in one thing: uncles may be absent although the header commits to some, because a
node's answer names them by hash only.
"""

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import (
    LAST_FRONTIER_BLOCK,
    Block,
    Withdrawal,
    check_body,
    decode_header,
    encode_header,
    header_hash,
)
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.receipts import Log, Receipt
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.errors import DecodeError

_NO_UNCLES = keccak(rlp.encode([]))


def encode_block_record(block: Block) -> bytes:
    """Return the stored form of a block."""
    parts: list[rlp.Encodable] = [
        encode_header(block.header),
        [transaction.raw for transaction in block.transactions],
        [encode_header(uncle) for uncle in block.uncles],
    ]
    if block.withdrawals is not None:
        parts.append([[w.index, w.validator_index, w.address, w.amount_gwei] for w in block.withdrawals])
    return rlp.encode(parts)


def decode_block_record(raw: bytes) -> Block:
    """Return the block, its senders recovered, its body checked against its header; `DecodeError` if not."""
    parts = rlp.decode_list(raw)
    if len(parts) not in (3, 4):
        raise DecodeError("wrong_field_count", f"a stored block has 3 or 4 parts, found {len(parts)}")
    header = decode_header(rlp.text(parts[0], name="header"))
    allow_high_s = header.number <= LAST_FRONTIER_BLOCK
    transactions = tuple(
        decode_transaction(rlp.text(item, name="transaction"), allow_high_s=allow_high_s)
        for item in rlp.items(parts[1], name="transactions")
    )
    uncles = tuple(decode_header(rlp.text(item, name="uncle")) for item in rlp.items(parts[2], name="uncles"))
    withdrawals = None
    if len(parts) == 4:
        withdrawals = tuple(_withdrawal(item) for item in rlp.items(parts[3], name="withdrawals"))
    block = Block(header_hash(header), header, transactions, uncles, withdrawals)
    check_body(block, uncles_known=bool(uncles) or header.uncles_hash == _NO_UNCLES)
    return block


def _withdrawal(item: rlp.Item) -> Withdrawal:
    fields = rlp.items(item, name="withdrawal")
    if len(fields) != 4:
        raise DecodeError("wrong_field_count", f"a withdrawal has 4 fields, found {len(fields)}")
    return Withdrawal(
        rlp.integer(fields[0], bits=64, name="withdrawal index"),
        rlp.integer(fields[1], bits=64, name="validator index"),
        rlp.fixed(fields[2], 20, name="withdrawal address"),
        rlp.integer(fields[3], bits=64, name="withdrawal amount"),
    )


def encode_receipts_record(receipts: tuple[Receipt, ...]) -> bytes:
    """Return the stored form of a block's receipts, which unlike the wire form keeps each one's own gas."""
    return rlp.encode([_receipt_fields(receipt) for receipt in receipts])


def _receipt_fields(receipt: Receipt) -> rlp.Encodable:
    return [
        receipt.type,
        0 if receipt.status is None else receipt.status + 1,
        receipt.post_state or b"",
        receipt.cumulative_gas_used,
        receipt.gas_used,
        [[log.address, list(log.topics), log.data] for log in receipt.logs],
    ]


def decode_receipts_record(raw: bytes) -> tuple[Receipt, ...]:
    """Return the receipts; `DecodeError` when the bytes are no receipts."""
    return tuple(_receipt(item) for item in rlp.decode_list(raw))


def _receipt(item: rlp.Item) -> Receipt:
    fields = rlp.items(item, name="receipt")
    if len(fields) != 6:
        raise DecodeError("wrong_field_count", f"a stored receipt has 6 fields, found {len(fields)}")
    outcome = rlp.integer(fields[1], bits=8, name="status")
    post_state = rlp.text(fields[2], name="post_state")
    if outcome > 2 or len(post_state) not in (0, 32):
        raise DecodeError("bad_status", f"outcome {outcome} with a root of {len(post_state)} bytes")
    return Receipt(
        type=rlp.integer(fields[0], bits=8, name="type"),
        status=outcome - 1 if outcome else None,
        post_state=post_state or None,
        cumulative_gas_used=rlp.integer(fields[3], bits=64, name="cumulative_gas_used"),
        gas_used=rlp.integer(fields[4], bits=64, name="gas_used"),
        logs=tuple(_log(log) for log in rlp.items(fields[5], name="logs")),
    )


def _log(item: rlp.Item) -> Log:
    fields = rlp.items(item, name="log")
    if len(fields) != 3:
        raise DecodeError("wrong_field_count", f"a log has 3 fields, found {len(fields)}")
    return Log(
        rlp.fixed(fields[0], 20, name="log address"),
        tuple(rlp.fixed(topic, 32, name="topic") for topic in rlp.items(fields[1], name="topics")),
        rlp.text(fields[2], name="log data"),
    )
