"""The one chain of a store: taken from the first log that knows its own, compared by every later writer.

A store outlives logs and may be shared by several: rows of two chains in it would look like reorgs.
"""

from mev_dagster.errors import StoreOfAnotherChain
from mev_dagster.hexadecimal import to_hex
from mev_dagster.node.identity import ChainIdentity, ChainPin
from mev_dagster.store.client import Store

TABLE = "store_chain"
_CHAIN_SQL = "SELECT chain_id, genesis_hash FROM store_chain ORDER BY stored_at LIMIT 1"


def chain_of(store: Store) -> ChainIdentity | None:
    """Return the chain whose rows a store holds, None before the first log told it."""
    found = store.rows(_CHAIN_SQL)
    return ChainIdentity(*found[0]) if found else None


def hold_to_chain(store: Store, pin: ChainPin) -> bool:
    """Compare a store's chain with that of the log to be written; say whether it is settled for good.

    A store without a chain takes the log's once a node has confirmed it. Raises `StoreOfAnotherChain`.
    """
    if pin.chain_id is None:
        return False
    held = chain_of(store)
    if held is not None and held.chain_id != pin.chain_id:
        raise StoreOfAnotherChain(
            f"{store.url}: the store is of chain {held.chain_id}, the log of chain {pin.chain_id}: "
            "another home or another MEV_STORE_DATABASE keeps them apart"
        )
    known = None if held is None else held.genesis_hash
    if known is not None and pin.genesis_hash not in (None, known):
        raise StoreOfAnotherChain(
            f"{store.url}: the store is of the chain that begins with {to_hex(known)}, "
            f"the log of that with {to_hex(pin.genesis_hash or b'')}"
        )
    if not pin.confirmed:
        return False
    if held is None or (known is None and pin.genesis_hash is not None):
        store.replace(TABLE, {"chain_id": pin.chain_id}, {"genesis_hash": [pin.genesis_hash]})
    return True
