"""Between a node's JSON answers and our values. Nothing is believed: hashes, senders and roots are checked.

Encodings: quantities are 0x-hex without leading zeros, byte strings 0x-hex with an even number of digits
(execution-apis, "Hex value encoding"). Reading tolerates leading zeros, which old archives contain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from mev_dagster.chain.blocks import (
    LAST_FRONTIER_BLOCK,
    Block,
    ForeignTransaction,
    Header,
    Withdrawal,
    check_body,
    header_hash,
)
from mev_dagster.chain.encoding import UnsignedTransaction
from mev_dagster.chain.envelope import BLOB, DYNAMIC_FEE, LEGACY, SET_CODE
from mev_dagster.chain.later_fields import unknown_fields, with_later_fields
from mev_dagster.chain.receipts import Log, Receipt, logs_bloom
from mev_dagster.chain.stated_access_lists import stated_access_list
from mev_dagster.chain.transactions import AccessListEntry, Authorization, Transaction, decode_transaction
from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import from_hex, to_hex

Json: TypeAlias = Mapping[str, Any]


def quantity(value: int) -> str:
    """Return an integer as JSON-RPC writes it."""
    return hex(value)


def _integer(obj: Json, name: str) -> int:
    value = obj.get(name)
    if not isinstance(value, str) or not value.startswith("0x"):
        raise DecodeError("bad_json_field", f"{name}: expected a 0x quantity, found {value!r:.80}")
    try:
        return int(value, 16)
    except ValueError:
        raise DecodeError("bad_json_field", f"{name}: {value!r:.80} is no quantity") from None


def _optional_integer(obj: Json, name: str) -> int | None:
    return None if obj.get(name) is None else _integer(obj, name)


def _to_bytes(value: object, name: str, length: int | None = None) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise DecodeError("bad_json_field", f"{name}: expected 0x bytes, found {value!r:.80}")
    try:
        content = from_hex(value)
    except ValueError:
        raise DecodeError("bad_json_field", f"{name}: {value!r:.80} is not hex") from None
    if length is not None and len(content) != length:
        raise DecodeError("bad_json_field", f"{name}: expected {length} bytes, found {len(content)}")
    return content


def _bytes(obj: Json, name: str, length: int | None = None) -> bytes:
    return _to_bytes(obj.get(name), name, length)


def _optional_bytes(obj: Json, name: str, length: int | None = None) -> bytes | None:
    return None if obj.get(name) is None else _bytes(obj, name, length)


def _objects(obj: Json, name: str) -> list[Json]:
    value = obj.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise DecodeError("bad_json_field", f"{name}: expected a list of objects")
    return value


def _kind(obj: Json) -> int:
    """Return the transaction type; old archives name none, then the fields tell."""
    if obj.get("type") is not None:
        return _integer(obj, "type")
    if obj.get("maxFeePerGas") is not None:
        return DYNAMIC_FEE
    return 1 if obj.get("accessList") is not None else LEGACY


def _authorization(obj: Json) -> Authorization:
    return Authorization(
        _integer(obj, "chainId"),
        _bytes(obj, "address", 20),
        _integer(obj, "nonce"),
        _integer(obj, "yParity" if "yParity" in obj else "v"),
        _integer(obj, "r"),
        _integer(obj, "s"),
        None,  # decoding recovers it
    )


def _legacy_chain_id(v: int) -> int | None:
    return (v - 35) // 2 if v >= 35 else None


def transaction_from_rpc(obj: Json, *, allow_high_s: bool | None = None) -> Transaction:
    """Encode a JSON transaction anew, decode that strictly, and check `hash` and `from` where given.

    `allow_high_s` admits pre-Homestead signatures; None admits them in mainnet's Frontier block numbers.
    """
    kind = _kind(obj)
    if kind > SET_CODE:
        raise DecodeError("unknown_type", f"transaction type {kind}")
    if kind == LEGACY:
        v = _integer(obj, "v")
    else:
        v = _integer(obj, "yParity" if obj.get("yParity") is not None else "v")
    to = _optional_bytes(obj, "to")
    dynamic = kind >= DYNAMIC_FEE
    unsigned = UnsignedTransaction(
        type=kind,
        chain_id=_legacy_chain_id(v) if kind == LEGACY else _integer(obj, "chainId"),
        nonce=_integer(obj, "nonce"),
        to=to or None,
        value_wei=_integer(obj, "value"),
        data=_bytes(obj, "input" if "input" in obj else "data"),
        gas_limit=_integer(obj, "gas"),
        gas_price_wei=None if dynamic else _integer(obj, "gasPrice"),
        max_fee_per_gas_wei=_integer(obj, "maxFeePerGas") if dynamic else None,
        max_priority_fee_per_gas_wei=_integer(obj, "maxPriorityFeePerGas") if dynamic else None,
        max_fee_per_blob_gas_wei=_integer(obj, "maxFeePerBlobGas") if kind == BLOB else None,
        access_list=[
            AccessListEntry(
                _bytes(entry, "address", 20),
                tuple(_to_bytes(key, "storageKeys", 32) for key in entry.get("storageKeys") or ()),
            )
            for entry in _objects(obj, "accessList")
        ],
        blob_versioned_hashes=[
            _to_bytes(item, "blobVersionedHashes", 32) for item in obj.get("blobVersionedHashes") or ()
        ],
        authorization_list=[_authorization(item) for item in _objects(obj, "authorizationList")],
    )
    if allow_high_s is None:
        number = _optional_integer(obj, "blockNumber")
        allow_high_s = number is not None and number <= LAST_FRONTIER_BLOCK
    raw = unsigned.encode_signed(v, _integer(obj, "r"), _integer(obj, "s"))
    transaction = decode_transaction(raw, allow_high_s=allow_high_s)
    stated_hash = _optional_bytes(obj, "hash", 32)
    if stated_hash not in (None, transaction.hash):
        raise DecodeError(
            "hash_mismatch", f"stated {to_hex(stated_hash)}, the fields give {to_hex(transaction.hash)}"
        )
    stated_sender = _optional_bytes(obj, "from", 20)
    if stated_sender not in (None, transaction.sender):
        raise DecodeError(
            "sender_mismatch",
            f"{to_hex(transaction.hash)}: stated {to_hex(stated_sender)}, "
            f"the signature gives {to_hex(transaction.sender)}",
        )
    return transaction


def transaction_to_rpc(
    transaction: Transaction,
    *,
    block_hash: bytes | None = None,
    block_number: int | None = None,
    index: int | None = None,
    base_fee_per_gas_wei: int | None = None,
) -> dict[str, Any]:
    """Return a transaction as nodes answer it; without a block it is pending."""
    included = block_number is not None
    price = transaction.effective_gas_price_wei(base_fee_per_gas_wei) if included else transaction.fee_cap_wei
    answer: dict[str, Any] = {
        "hash": to_hex(transaction.hash),
        "type": quantity(transaction.type),
        "nonce": quantity(transaction.nonce),
        "blockHash": None if block_hash is None else to_hex(block_hash),
        "blockNumber": None if block_number is None else quantity(block_number),
        "transactionIndex": None if index is None else quantity(index),
        "from": to_hex(transaction.sender),
        "to": None if transaction.to is None else to_hex(transaction.to),
        "value": quantity(transaction.value_wei),
        "gas": quantity(transaction.gas_limit),
        "gasPrice": quantity(price),
        "input": to_hex(transaction.data),
        "v": quantity(transaction.v),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
    }
    if transaction.chain_id is not None:
        answer["chainId"] = quantity(transaction.chain_id)
    if transaction.type == LEGACY:
        return answer
    answer["yParity"] = quantity(transaction.v)
    answer["accessList"] = [
        {"address": to_hex(entry.address), "storageKeys": [to_hex(key) for key in entry.storage_keys]}
        for entry in transaction.access_list
    ]
    if transaction.max_fee_per_gas_wei is not None and transaction.max_priority_fee_per_gas_wei is not None:
        answer["maxFeePerGas"] = quantity(transaction.max_fee_per_gas_wei)
        answer["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas_wei)
    if transaction.max_fee_per_blob_gas_wei is not None:
        answer["maxFeePerBlobGas"] = quantity(transaction.max_fee_per_blob_gas_wei)
        answer["blobVersionedHashes"] = [to_hex(item) for item in transaction.blob_versioned_hashes]
    if transaction.type == SET_CODE:
        answer["authorizationList"] = [
            {
                "chainId": quantity(item.chain_id),
                "address": to_hex(item.address),
                "nonce": quantity(item.nonce),
                "yParity": quantity(item.y_parity),
                "r": quantity(item.r),
                "s": quantity(item.s),
            }
            for item in transaction.authorization_list
        ]
    return answer


def header_from_rpc(obj: Json) -> Header:
    """Read a header and check its hash where the answer states one.

    Fields of a fork not known here are kept where they give the hash.
    """
    header = Header(
        parent_hash=_bytes(obj, "parentHash", 32),
        uncles_hash=_bytes(obj, "sha3Uncles", 32),
        coinbase=_bytes(obj, "miner", 20),
        state_root=_bytes(obj, "stateRoot", 32),
        transactions_root=_bytes(obj, "transactionsRoot", 32),
        receipts_root=_bytes(obj, "receiptsRoot", 32),
        logs_bloom=_bytes(obj, "logsBloom", 256),
        difficulty=_integer(obj, "difficulty"),
        number=_integer(obj, "number"),
        gas_limit=_integer(obj, "gasLimit"),
        gas_used=_integer(obj, "gasUsed"),
        timestamp=_integer(obj, "timestamp"),
        extra_data=_bytes(obj, "extraData"),
        mix_hash=_bytes(obj, "mixHash", 32),
        nonce=_bytes(obj, "nonce", 8),
        base_fee_per_gas_wei=_optional_integer(obj, "baseFeePerGas"),
        withdrawals_root=_optional_bytes(obj, "withdrawalsRoot", 32),
        blob_gas_used=_optional_integer(obj, "blobGasUsed"),
        excess_blob_gas=_optional_integer(obj, "excessBlobGas"),
        parent_beacon_block_root=_optional_bytes(obj, "parentBeaconBlockRoot", 32),
        requests_hash=_optional_bytes(obj, "requestsHash", 32),
        block_access_list_hash=_optional_bytes(obj, "blockAccessListHash", 32),
        slot_number=_optional_integer(obj, "slotNumber"),
    )
    stated = _optional_bytes(obj, "hash", 32)
    found = header_hash(header)
    if stated not in (None, found):
        later = with_later_fields(header, obj, stated)
        if later is not None:
            return later
        unknown = ", ".join(sorted(unknown_fields(obj)))
        raise DecodeError(
            "unknown_header_fields" if unknown else "block_mismatch",
            f"block {header.number}: block hash is {to_hex(stated)} but the content gives {to_hex(found)}"
            + (f"; a fork that is not known here may have brought {unknown}" if unknown else ""),
        )
    return header


def block_from_rpc(
    obj: Json,
    *,
    uncles: Sequence[Header] | None = None,
    known: Callable[[bytes], Transaction | None] = lambda tx_hash: None,
    keep_foreign: bool = False,
) -> Block:
    """Read a block with full transactions; check hash, transactions root and withdrawals root.

    With `keep_foreign`, transactions of types that are not Ethereum's are kept by their hash alone
    (`Block.foreign`), and what the transactions root covers cannot be checked.

    `known` returns transactions by hash that were decoded before: most of a block's were pending once. The
    transactions root covers the bytes of every one, so none is trusted for its hash alone.

    A node's answer holds only the hashes of uncles. Where their headers are not handed in, `uncles` stays
    empty and the uncles hash is checked only if the answer lists none.
    """
    header = header_from_rpc(obj)
    listed = obj.get("transactions")
    if not isinstance(listed, list):
        raise DecodeError("bad_json_field", f"block {header.number}: transactions: expected a list")
    transactions: list[Transaction] = []
    foreign: list[ForeignTransaction] = []
    for index, item in enumerate(listed):
        if not isinstance(item, Mapping):
            raise DecodeError(
                "bad_json_field",
                f"block {header.number}: transactions[{index}] is a hash, expected an object",
            )
        stated = _optional_bytes(item, "hash", 32)
        if keep_foreign and stated is not None and _kind(item) > SET_CODE:
            foreign.append(ForeignTransaction(index, stated, _kind(item)))
            continue
        transaction = known(stated) if stated is not None else None
        if transaction is None:
            transaction = transaction_from_rpc(item, allow_high_s=header.number <= LAST_FRONTIER_BLOCK)
        transactions.append(transaction)
    withdrawals = None
    if obj.get("withdrawals") is not None:
        withdrawals = tuple(
            Withdrawal(
                _integer(item, "index"),
                _integer(item, "validatorIndex"),
                _bytes(item, "address", 20),
                _integer(item, "amount"),
            )
            for item in _objects(obj, "withdrawals")
        )
    block = Block(
        header_hash(header),
        header,
        tuple(transactions),
        tuple(uncles or ()),
        withdrawals,
        tuple(foreign),
        stated_access_list(obj),
    )
    check_body(block, uncles_known=uncles is not None or not obj.get("uncles"))
    return block


def log_from_rpc(obj: Json) -> Log:
    """Read one log entry."""
    topics = obj.get("topics") or ()
    return Log(
        _bytes(obj, "address", 20),
        tuple(_to_bytes(topic, "topics", 32) for topic in topics),
        _bytes(obj, "data"),
    )


def receipt_from_rpc(obj: Json) -> Receipt:
    """Read a receipt and check its bloom where the answer states one."""
    root = _optional_bytes(obj, "root")
    receipt = Receipt(
        type=_optional_integer(obj, "type") or 0,
        status=_optional_integer(obj, "status"),
        post_state=root if root is not None and len(root) == 32 else None,
        cumulative_gas_used=_integer(obj, "cumulativeGasUsed"),
        gas_used=_integer(obj, "gasUsed"),
        logs=tuple(log_from_rpc(log) for log in _objects(obj, "logs")),
    )
    stated = _optional_bytes(obj, "logsBloom", 256)
    if stated is not None and stated != logs_bloom(receipt.logs):
        raise DecodeError("wrong_bloom", "logsBloom does not match the logs")
    return receipt
