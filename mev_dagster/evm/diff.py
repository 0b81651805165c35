"""The canonical form of a state diff and its SHA-256, equal for every engine.

Compact JSON: addresses in order, changed fields only, slots and values as 32-byte hex, a deleted account
as null.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mev_dagster.evm.types import AccountDiff
from mev_dagster.hexadecimal import to_hex


def diff_to_json(state_diff: Mapping[bytes, AccountDiff]) -> dict[str, Any]:
    """Return the diff as the JSON document that is hashed."""
    return {
        to_hex(address): None if diff.deleted else _fields(diff)
        for address, diff in sorted(state_diff.items())
    }


def diff_hash(state_diff: Mapping[bytes, AccountDiff]) -> bytes:
    """Return the SHA-256 of the canonical JSON."""
    return hashlib.sha256(json.dumps(diff_to_json(state_diff), separators=(",", ":")).encode()).digest()


def _fields(diff: AccountDiff) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if diff.balance_wei is not None:
        fields["balance"] = hex(diff.balance_wei)
    if diff.code is not None:
        fields["code"] = to_hex(diff.code)
    if diff.nonce is not None:
        fields["nonce"] = hex(diff.nonce)
    if diff.storage:
        fields["storage"] = {
            f"{slot:#066x}": f"{value:#066x}" for slot, value in sorted(diff.storage.items())
        }
    if diff.storage_cleared:
        fields["storage_cleared"] = True
    return fields
