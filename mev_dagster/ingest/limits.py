"""What fits the log and the tables: checked where a value comes in, so that no writer ever meets it.

Consensus keeps these numbers far smaller; a node that lies is not bound by consensus.
"""

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import DecodeError
from mev_dagster.units import KIB, MIB, NS_PER_SECOND

MAX_TEXT_CHARACTERS = 500  # of an error that a node or a peer words
MAX_RAW_BYTES = 8 * MIB
MAX_SIDECAR_BYTES = 16 * MIB
MAX_EXTRA_DATA_BYTES = 64 * KIB  # mainnet's rule is 32 bytes; clique chains list their signers there
LAST_SECOND = 2**63 // NS_PER_SECOND - 1  # what a DateTime64(9) holds
_INTEGERS = ("number", "gas_limit", "gas_used", "blob_gas_used", "excess_blob_gas", "slot_number")
_AMOUNTS = ("difficulty", "base_fee_per_gas_wei")


def check_block(block: Block) -> None:
    """Raise `DecodeError` where a field of a block is larger than what is kept of it."""
    header = block.header
    for names, limit in ((_INTEGERS, 2**63), (_AMOUNTS, 2**256)):
        for name in names:
            value = getattr(header, name)
            if value is not None and value >= limit:
                raise DecodeError("field_out_of_range", f"block: {name}: {value:#x} is not below {limit:#x}")
    if header.timestamp > LAST_SECOND:
        raise DecodeError("field_out_of_range", f"block: timestamp {header.timestamp:#x} is after 2262")
    if len(header.extra_data) > MAX_EXTRA_DATA_BYTES:
        raise DecodeError("field_out_of_range", f"block: extra data of {len(header.extra_data)} bytes")
    for transaction in block.transactions:
        check_transaction(transaction)


def check_transaction(transaction: Transaction) -> None:
    """Raise `DecodeError` where a field of a transaction is larger than what is kept of it."""
    for name in ("nonce", "gas_limit", "chain_id"):
        value = getattr(transaction, name)
        if value is not None and value >= 2**64:
            raise DecodeError("field_out_of_range", f"{name}: {value:#x} is not below 2^64")
    if len(transaction.raw) > MAX_RAW_BYTES:
        raise DecodeError("too_large", f"a transaction of {len(transaction.raw)} bytes")


def cut(text: str) -> str:
    """Return a text as short as the log keeps it."""
    return text if len(text) <= MAX_TEXT_CHARACTERS else text[:MAX_TEXT_CHARACTERS] + "..."
