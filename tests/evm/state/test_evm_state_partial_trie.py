import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain.keccak import EMPTY_TRIE_ROOT
from mev_dagster.chain.trie import trie_root
from mev_dagster.errors import MissingState
from mev_dagster.evm.state.partial_trie import PartialTrie

keys = st.binary(min_size=1, max_size=3).map(lambda key: key.ljust(3, b"\x00"))
mappings = st.dictionaries(keys, st.binary(min_size=1, max_size=40), max_size=30)


def filled(mapping: dict[bytes, bytes]) -> PartialTrie:
    trie = PartialTrie(EMPTY_TRIE_ROOT, {})
    for key, value in mapping.items():
        trie.put(key, value)
    return trie


@given(mappings)
def test_putting_one_by_one_gives_the_root_of_the_whole(mapping):
    trie = filled(mapping)
    assert trie.root() == trie_root(mapping)
    assert all(trie.get(key) == value for key, value in mapping.items())


@given(mappings, mappings)
def test_removing_gives_the_root_of_what_is_left(kept, removed):
    trie = filled({**removed, **kept})
    for key in removed.keys() - kept.keys():
        trie.put(key, b"")
        assert trie.get(key) is None
    assert trie.root() == trie_root(kept)


@given(mappings, keys)
def test_removing_what_is_not_there_changes_nothing(mapping, key):
    trie = filled({other: value for other, value in mapping.items() if other != key})
    before = trie.root()
    trie.put(key, b"")
    assert trie.root() == before


def test_a_node_that_is_not_at_hand_is_missing():
    trie = PartialTrie(b"\x01" * 32, {})
    with pytest.raises(MissingState, match="trie_node"):
        trie.get(b"key")
