"""Headers, withdrawals and whole blocks of every fork."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.chain.trie import ordered_trie_root
from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex

LAST_FRONTIER_BLOCK = 1_149_999
"""Mainnet's last block before EIP-2 asked for a low s."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A validator withdrawal (EIP-4895); the amount is in gwei as on the wire."""

    index: int
    validator_index: int
    address: bytes
    amount_gwei: int


@dataclass(frozen=True, slots=True)
class Header:
    """A block header; fields a fork does not have are None."""

    parent_hash: bytes
    uncles_hash: bytes
    coinbase: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra_data: bytes
    mix_hash: bytes
    nonce: bytes
    base_fee_per_gas_wei: int | None = None
    withdrawals_root: bytes | None = None
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None
    parent_beacon_block_root: bytes | None = None
    requests_hash: bytes | None = None
    block_access_list_hash: bytes | None = None
    slot_number: int | None = None
    later_fields: tuple[bytes, ...] = ()
    """What a fork not known here has appended: the RLP of each field, so that the hash still comes out."""


@dataclass(frozen=True, slots=True)
class ForeignTransaction:
    """A transaction of a type that is not Ethereum's, at its place in a block: only its hash is known."""

    index: int
    hash: bytes
    type: int


@dataclass(frozen=True, slots=True)
class Block:
    """A header with its body. `hash` is the header's hash.

    `foreign` are transactions of other chains' types; `transactions` holds the rest, in order.
    `access_list` is what was told beside the block of its accesses (EIP-7928), encoded: no part of it.
    """

    hash: bytes
    header: Header
    transactions: tuple[Transaction, ...]
    uncles: tuple[Header, ...] = ()
    withdrawals: tuple[Withdrawal, ...] | None = None
    foreign: tuple[ForeignTransaction, ...] = ()
    access_list: bytes | None = field(default=None, compare=False)

    @property
    def transaction_hashes(self) -> tuple[bytes, ...]:
        """The hashes of all transactions, foreign ones among them, in order."""
        hashes = [transaction.hash for transaction in self.transactions]
        for placed in self.foreign:
            hashes.insert(placed.index, placed.hash)
        return tuple(hashes)


# The fields that later forks appended, in wire order; a header holds a prefix of them.
_APPENDED = (
    "base_fee_per_gas_wei",
    "withdrawals_root",
    "blob_gas_used",
    "excess_blob_gas",
    "parent_beacon_block_root",
    "requests_hash",
    "block_access_list_hash",
    "slot_number",
)
_INTEGER_BITS = {
    "base_fee_per_gas_wei": 256,
    "blob_gas_used": 64,
    "excess_blob_gas": 64,
    "slot_number": 64,
}
_FIRST_FIELDS = 15
_HEADER_LENGTHS = {15, 16, 17, 20, 21, 23}  # Frontier, London, Shanghai, Cancun, Prague, Amsterdam
_MAX_LATER_FIELDS = 32


def encode_header(header: Header) -> bytes:
    """Return the RLP of a header; fields that are None end the list."""
    fields: list[rlp.Encodable] = [
        header.parent_hash,
        header.uncles_hash,
        header.coinbase,
        header.state_root,
        header.transactions_root,
        header.receipts_root,
        header.logs_bloom,
        header.difficulty,
        header.number,
        header.gas_limit,
        header.gas_used,
        header.timestamp,
        header.extra_data,
        header.mix_hash,
        header.nonce,
    ]
    ended = ""
    for name in _APPENDED:
        value: bytes | int | None = getattr(header, name)
        if value is None:
            ended = ended or name
        elif ended:
            raise DecodeError("bad_header", f"{name} is set but {ended} is not")
        else:
            fields.append(value)
    if not header.later_fields:
        return rlp.encode(fields)
    if ended:
        raise DecodeError("bad_header", f"fields of a later fork follow, but {ended} is not set")
    return rlp.encode_list([*(rlp.encode(field) for field in fields), *header.later_fields])


def header_hash(header: Header) -> bytes:
    """Return the block hash."""
    return keccak(encode_header(header))


def decode_header(raw: bytes) -> Header:
    """Decode a header of any fork; the fields of one not known here are kept as they are."""
    return _header(rlp.decode_list(raw))


def _header(fields: list[rlp.Item]) -> Header:
    known = _FIRST_FIELDS + len(_APPENDED)
    if len(fields) not in _HEADER_LENGTHS and not known < len(fields) <= known + _MAX_LATER_FIELDS:
        raise DecodeError("wrong_field_count", f"no fork's header has {len(fields)} fields")
    appended: dict[str, int | bytes] = {}
    for name, appended_field in zip(_APPENDED, fields[_FIRST_FIELDS:], strict=False):
        if name in _INTEGER_BITS:
            appended[name] = rlp.integer(appended_field, bits=_INTEGER_BITS[name], name=name)
        else:
            appended[name] = rlp.fixed(appended_field, 32, name=name)
    return Header(
        parent_hash=rlp.fixed(fields[0], 32, name="parent_hash"),
        uncles_hash=rlp.fixed(fields[1], 32, name="uncles_hash"),
        coinbase=rlp.fixed(fields[2], 20, name="coinbase"),
        state_root=rlp.fixed(fields[3], 32, name="state_root"),
        transactions_root=rlp.fixed(fields[4], 32, name="transactions_root"),
        receipts_root=rlp.fixed(fields[5], 32, name="receipts_root"),
        logs_bloom=rlp.fixed(fields[6], 256, name="logs_bloom"),
        difficulty=rlp.integer(fields[7], bits=256, name="difficulty"),
        number=rlp.integer(fields[8], bits=64, name="number"),
        gas_limit=rlp.integer(fields[9], bits=64, name="gas_limit"),
        gas_used=rlp.integer(fields[10], bits=64, name="gas_used"),
        timestamp=rlp.integer(fields[11], bits=64, name="timestamp"),
        extra_data=rlp.text(fields[12], name="extra_data"),
        mix_hash=rlp.fixed(fields[13], 32, name="mix_hash"),
        nonce=rlp.fixed(fields[14], 8, name="nonce"),
        later_fields=tuple(rlp.encode(field) for field in fields[known:]),
        **appended,  # type: ignore[arg-type]  # names and kinds are paired just above
    )


def transactions_root(transactions: Sequence[Transaction]) -> bytes:
    """Return the transactions root of a block."""
    return ordered_trie_root([transaction.raw for transaction in transactions])


def _withdrawal_fields(withdrawal: Withdrawal) -> list[rlp.Encodable]:
    return [withdrawal.index, withdrawal.validator_index, withdrawal.address, withdrawal.amount_gwei]


def withdrawals_root(withdrawals: Sequence[Withdrawal]) -> bytes:
    """Return the withdrawals root of a block."""
    return ordered_trie_root([rlp.encode(_withdrawal_fields(withdrawal)) for withdrawal in withdrawals])


def _uncles_hash(uncles: Sequence[Header]) -> bytes:
    return keccak(rlp.encode_list([encode_header(uncle) for uncle in uncles]))


def check_body(block: Block, *, uncles_known: bool = True) -> None:
    """Check that a block's body is the one its header commits to, and that `hash` is the header's."""
    header = block.header
    computed: list[tuple[str, bytes | None, bytes | None]] = [
        ("block hash", block.hash, header_hash(header)),
        (
            "transactions root",
            header.transactions_root,
            header.transactions_root if block.foreign else transactions_root(block.transactions),
        ),
        (
            "uncles hash",
            header.uncles_hash,
            _uncles_hash(block.uncles) if uncles_known else header.uncles_hash,
        ),
        (
            "withdrawals root",
            header.withdrawals_root,
            None if block.withdrawals is None else withdrawals_root(block.withdrawals),
        ),
    ]
    for name, stated, found in computed:
        if stated != found:
            raise DecodeError(
                "block_mismatch",
                f"block {header.number}: {name} is {_hex(stated)} but the content gives {_hex(found)}",
            )


def _hex(value: bytes | None) -> str:
    return "absent" if value is None else to_hex(value)


def encode_block(block: Block) -> bytes:
    """Return the RLP of a block as peers and chain files hold it."""
    transactions = [
        transaction.raw if transaction.type == 0 else rlp.encode_bytes(transaction.raw)
        for transaction in block.transactions
    ]
    parts = [
        encode_header(block.header),
        rlp.encode_list(transactions),
        rlp.encode_list([encode_header(uncle) for uncle in block.uncles]),
    ]
    if block.withdrawals is not None:
        parts.append(rlp.encode([_withdrawal_fields(withdrawal) for withdrawal in block.withdrawals]))
    return rlp.encode_list(parts)


def decode_block(raw: bytes, *, allow_high_s: bool | None = None) -> Block:
    """Decode a whole block, recover its senders and check the body against the header.

    `allow_high_s` admits pre-Homestead signatures. Left at None it follows the header: true up to mainnet's
    last Frontier block, for no other chain's schedule can be read from a block.
    """
    start, end = rlp.list_span(raw, 0, len(raw))
    spans: list[tuple[int, int, int]] = []
    position = start
    while position < end:
        is_list, inner_start, inner_end = rlp.payload_span(raw, position, end)
        if not is_list:
            raise DecodeError("rlp_not_a_list", f"part {len(spans)} of the block is a string")
        spans.append((position, inner_start, inner_end))
        position = inner_end
    if len(spans) not in (3, 4):
        raise DecodeError("wrong_field_count", f"a block has 3 or 4 parts, found {len(spans)}")
    header = decode_header(raw[spans[0][0] : spans[0][2]])
    if allow_high_s is None:
        allow_high_s = header.number <= LAST_FRONTIER_BLOCK
    transactions: list[Transaction] = []
    _, position, stop = spans[1]
    while position < stop:
        is_list, inner_start, inner_end = rlp.payload_span(raw, position, stop)
        encoded = raw[position:inner_end] if is_list else raw[inner_start:inner_end]
        if not is_list and (not encoded or encoded[0] >= 0x80):
            raise DecodeError(
                "unknown_type", f"transaction {len(transactions)} is a string without a type byte"
            )
        transactions.append(decode_transaction(encoded, allow_high_s=allow_high_s))
        position = inner_end
    uncles = rlp.items(rlp.decode(raw[spans[2][0] : spans[2][2]]), name="uncles")
    withdrawals = None
    if len(spans) == 4:
        items = rlp.items(rlp.decode(raw[spans[3][0] : spans[3][2]]), name="withdrawals")
        withdrawals = tuple(_withdrawal(item) for item in items)
    block = Block(
        hash=keccak(raw[spans[0][0] : spans[0][2]]),
        header=header,
        transactions=tuple(transactions),
        uncles=tuple(_header(rlp.items(uncle, name="uncle")) for uncle in uncles),
        withdrawals=withdrawals,
    )
    check_body(block)
    return block


def _withdrawal(item: rlp.Item) -> Withdrawal:
    parts = rlp.items(item, name="withdrawal")
    if len(parts) != 4:
        raise DecodeError("wrong_field_count", f"a withdrawal has 4 fields, found {len(parts)}")
    return Withdrawal(
        rlp.integer(parts[0], bits=64, name="withdrawal index"),
        rlp.integer(parts[1], bits=64, name="validator index"),
        rlp.fixed(parts[2], 20, name="withdrawal address"),
        rlp.integer(parts[3], bits=64, name="withdrawal amount"),
    )
