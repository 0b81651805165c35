"""The root after changes, by the touched paths alone, is the root of the whole changed state."""

import random
from dataclasses import replace

import pytest

from mev_dagster.chain.keccak import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, keccak
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.whole_tree import root_after, tree_of
from mev_dagster.evm.types import Account, AccountDiff


def drawn(rng: random.Random) -> tuple[Prestate, dict[bytes, AccountDiff]]:
    """A whole state and changes of every kind: to what is there, to what is not, and deletions."""
    addresses = [rng.randbytes(20) for _ in range(60)]
    accounts = {
        address: Account(
            rng.randrange(10**20),
            rng.randrange(3),
            EMPTY_CODE_HASH if rng.random() < 0.5 else keccak(b"code"),
            {rng.randrange(2**256): rng.randrange(3) for _ in range(rng.choice([0, 0, 1, 20]))},
        )
        for address in addresses[:50]
    }
    diff = {}
    for address in rng.sample(addresses, 25):
        held = list(accounts[address].storage) if address in accounts else []
        slots = {slot: rng.choice([0, 7]) for slot in [*held[:5], rng.randrange(2**256)]}
        cleared = rng.random() < 0.1
        diff[address] = AccountDiff(1 + rng.randrange(10**20), 1, None, slots, storage_cleared=cleared)
    for address in rng.sample(addresses[:50], 5):
        diff[address] = AccountDiff(None, None, None, {}, deleted=True)
    return Prestate(accounts, {keccak(b"code"): b"code"}, {}, complete=True), diff


@pytest.mark.parametrize("seed", range(20))
def test_the_root_of_touched_paths_is_that_of_the_whole_state(seed):
    state, diff = drawn(random.Random(seed))
    assert tree_of(state).state_root == state.state_root()
    assert root_after(state, diff) == state.apply(diff).state_root()


def test_the_tree_of_a_state_is_built_once_and_of_an_equal_one_again():
    state, _ = drawn(random.Random(1))
    assert tree_of(state) is tree_of(state)
    assert tree_of(replace(state)) is not tree_of(state)


def test_an_empty_state_has_the_empty_root():
    assert tree_of(Prestate({}, {}, {}, complete=True)).state_root == EMPTY_TRIE_ROOT
