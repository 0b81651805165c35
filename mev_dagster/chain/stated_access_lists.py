"""The access list that a node tells beside a block: its RLP, or the objects that geth writes.

The header commits to the RLP; objects are encoded again, as they stand, for their order is judged as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mev_dagster.chain.access_lists import AccountAccess, encode_access_list
from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import from_hex

_NAME = "blockAccessList"


def stated_access_list(answer: Mapping[str, Any]) -> bytes | None:
    """Return the encoded list of an answer, None where it tells none; `DecodeError` where it is no list."""
    found = answer.get(_NAME)
    if found is None:
        return None
    try:
        if isinstance(found, str):
            return from_hex(found)
        if isinstance(found, list):
            return encode_access_list([_account(entry) for entry in found])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DecodeError("bad_json_field", f"{_NAME}: {type(error).__name__}: {error}") from error
    raise DecodeError("bad_json_field", f"{_NAME}: expected RLP as 0x hex or a list of accounts")


def _account(entry: Mapping[str, Any]) -> AccountAccess:
    return AccountAccess(
        from_hex(entry["address"]),
        tuple(
            (_number(slot["slot"]), _numbers(slot["slotChanges"], "postValue"))
            for slot in entry.get("storageChanges") or ()
        ),
        tuple(_number(slot) for slot in entry.get("storageReads") or ()),
        _numbers(entry.get("balanceChanges") or (), "postBalance"),
        _numbers(entry.get("nonceChanges") or (), "postNonce"),
        tuple((_index(change), from_hex(change["newCode"])) for change in entry.get("codeChanges") or ()),
    )


def _numbers(changes: Sequence[Mapping[str, Any]], name: str) -> tuple[tuple[int, int], ...]:
    return tuple((_index(change), _number(change[name])) for change in changes)


def _index(change: Mapping[str, Any]) -> int:
    return _number(change["blockAccessIndex"])


def _number(value: Any) -> int:
    """Return a quantity: geth writes some as numbers, most as 0x hex."""
    number = value if isinstance(value, int) and not isinstance(value, bool) else int(value, 16)
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return number
