"""Roots, against the `trie` package and a real state dump."""

import json

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from mev_dagster.chain.keccak import EMPTY_TRIE_ROOT, keccak
from mev_dagster.chain.trie import ordered_trie_root, state_root, trie_root

keys = st.binary(min_size=1, max_size=4) | st.binary(min_size=32, max_size=32)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(keys, st.binary(min_size=1, max_size=60), max_size=40))
def test_any_mapping_has_the_root_that_the_trie_package_gives(mapping):
    reference = HexaryTrie({})
    for key, value in mapping.items():
        reference[key] = value
    assert trie_root(mapping) == reference.root_hash
    secure = HexaryTrie({})
    for key, value in mapping.items():
        secure[keccak(key)] = value
    assert trie_root(mapping, secure=True) == secure.root_hash


def test_nothing_has_the_empty_root():
    assert ordered_trie_root([]) == trie_root({}) == trie_root({b"key": b""}) == EMPTY_TRIE_ROOT
    assert EMPTY_TRIE_ROOT.hex().startswith("56e81f171bcc55a6")


@pytest.mark.fixtures
def test_a_dumped_state_has_its_root(fixtures):
    content = (fixtures / "chain_synthetic" / "headstate.json.zst").read_bytes()
    dump = json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(content))
    accounts = {
        bytes.fromhex(address[2:]): (
            account["nonce"],
            int(account["balance"]),
            bytes.fromhex(account["codeHash"][2:]),
            {int(slot, 16): int(value, 16) for slot, value in account.get("storage", {}).items()},
        )
        for address, account in dump["accounts"].items()
    }
    assert state_root(accounts).hex() == dump["root"]
