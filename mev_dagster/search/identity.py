"""One id follows a decision all the way: the SHA-256 of what was decided, on which block's state."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import BlockEnv
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.plan import Item, Plan


def canonical_json(document: Any) -> bytes:
    """Return the one way to write a document: sorted keys, no spaces, integers in full."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def opportunity_id(plan: Plan, env: BlockEnv) -> bytes:
    """Return the id of a plan for one block.

    Signatures, fees and nonces are no part of it, so the same decision signed anew keeps its id.
    """
    return hashlib.sha256(
        canonical_json(
            {
                "chain_id": env.chain_id,
                "number": env.number,
                "parent_hash": to_hex(env.parent_hash),
                "strategy": plan.strategy,
                "items": [_item(item) for item in plan.items],
            }
        )
    ).digest()


def _item(item: Item) -> Mapping[str, str]:
    return {"tx": to_hex(item.hash)} if isinstance(item, Transaction) else item.identity
