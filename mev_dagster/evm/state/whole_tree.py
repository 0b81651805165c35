"""The state root after a block's changes to a whole state: only the touched paths are hashed again.

The tree of a state is built when its first root is asked for, and kept while the state is: templates, bids of
several strategies and a relay's judgement of them all stand on the same parent.
"""

import weakref
from collections import OrderedDict
from collections.abc import Mapping

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.trie import trie_nodes
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.types import AccountDiff

MOST_TREES = 4
_trees: OrderedDict[int, tuple["weakref.ref[Prestate]", Witness]] = OrderedDict()


def root_after(state: Prestate, state_diff: Mapping[bytes, AccountDiff]) -> bytes:
    """Return the root after these changes to a complete state."""
    return tree_of(state).root_after(state_diff)


def tree_of(state: Prestate) -> Witness:
    """Return every node of a complete state's tree, as a witness of it."""
    key = id(state)
    held = _trees.get(key)
    if held is not None and held[0]() is state:
        _trees.move_to_end(key)
        return held[1]
    tree = _built(state)
    _trees[key] = weakref.ref(state), tree
    while len(_trees) > MOST_TREES:
        _trees.popitem(last=False)
    return tree


def _built(state: Prestate) -> Witness:
    nodes: dict[bytes, bytes] = {}
    accounts = {}
    for address, account in state.accounts.items():
        if account.exists:
            slots = (
                (keccak(slot.to_bytes(32, "big")), rlp.encode_int(value))
                for slot, value in account.storage.items()
                if value
            )
            storage_root = trie_nodes(slots, nodes)
            accounts[keccak(address)] = rlp.encode(
                [account.nonce, account.balance_wei, storage_root, account.code_hash]
            )
    root = trie_nodes(accounts.items(), nodes)
    return Witness(root, nodes, state.codes, state.block_hashes)
