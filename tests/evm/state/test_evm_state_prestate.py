import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain.keccak import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, keccak
from mev_dagster.errors import InputError, MissingState
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import ABSENT_ACCOUNT, Account, AccountDiff

ALICE, BOB = b"\xaa" * 20, b"\xbb" * 20
CODE = b"\x60\x00"

words = st.integers(0, 2**256 - 1)
accounts = st.dictionaries(
    st.binary(min_size=20, max_size=20),
    st.builds(
        Account,
        balance_wei=words,
        nonce=st.integers(0, 2**64 - 1),
        code_hash=st.sampled_from([EMPTY_CODE_HASH, keccak(CODE)]),
        storage=st.dictionaries(words, words, max_size=3),
    )
    | st.just(ABSENT_ACCOUNT),
    max_size=5,
)


def contract(storage: dict[int, int]) -> Account:
    return Account(5, 1, keccak(CODE), storage)


def test_what_is_not_listed_is_missing_never_zero():
    state = Prestate({ALICE: contract({1: 7})}, {})
    assert state.storage(ALICE, 1) == 7
    for ask, what in (
        (lambda: state.account(BOB), "account"),
        (lambda: state.storage(ALICE, 2), "storage"),
        (lambda: state.storage(BOB, 1), "account"),
        (lambda: state.code(keccak(CODE)), "code"),
        (lambda: state.block_hash(9), "block_hash"),
    ):
        with pytest.raises(MissingState) as caught:
            ask()
        assert caught.value.what == what


def test_a_complete_state_knows_what_is_absent():
    state = Prestate({ALICE: contract({})}, {}, complete=True)
    assert state.account(BOB) == ABSENT_ACCOUNT
    assert state.storage(ALICE, 3) == 0


def test_a_state_that_lists_every_account_still_misses_slots():
    state = Prestate({ALICE: contract({})}, {}, lists_every_account=True)
    assert state.account(BOB) == ABSENT_ACCOUNT
    with pytest.raises(MissingState):
        state.storage(ALICE, 3)


def test_nothing_is_stored_where_no_code_has_run():
    state = Prestate({BOB: Account(1, 0, EMPTY_CODE_HASH)}, {})
    assert state.storage(BOB, 1) == 0


@given(accounts)
def test_json_gives_back_the_same_state(listed):
    state = Prestate(listed, {keccak(CODE): CODE}, {4: b"\x04" * 32})
    again = Prestate.from_json(json.loads(state.canonical()), state.codes)
    assert again.accounts == state.accounts
    assert again.block_hashes == state.block_hashes
    assert again.digest() == state.digest()


def test_the_digest_does_not_depend_on_order():
    one = Prestate({ALICE: contract({1: 1, 2: 2}), BOB: ABSENT_ACCOUNT}, {})
    other = Prestate({BOB: ABSENT_ACCOUNT, ALICE: contract({2: 2, 1: 1})}, {})
    assert one.digest() == other.digest()


def test_a_code_under_a_wrong_hash_is_refused():
    document = Prestate({ALICE: contract({})}, {}).to_json()
    with pytest.raises(InputError, match="does not have that hash"):
        Prestate.from_json(document, {keccak(CODE): b"other"})


@pytest.mark.parametrize(
    "altered", [{"accounts": []}, {"accounts": {"0x00": {}}}, {"block_hashes": {"x": "0x"}}, {}]
)
def test_an_altered_document_is_refused(altered):
    with pytest.raises(InputError):
        Prestate.from_json(altered, {})


def test_overrides_change_only_what_they_name():
    state = Prestate({ALICE: contract({1: 7})}, {}).with_overrides(
        {ALICE: AccountOverride(balance_wei=9, storage={2: 3}), BOB: AccountOverride(code=b"\x00")}
    )
    assert state.account(ALICE) == Account(9, 1, keccak(CODE), {1: 7, 2: 3})
    assert state.code(state.account(BOB).code_hash) == b"\x00"


def test_applying_a_diff_gives_the_next_state():
    state = Prestate({ALICE: contract({1: 7}), BOB: contract({5: 5})}, {}).apply(
        {
            ALICE: AccountDiff(1, None, None, {9: 9}, storage_cleared=True),
            BOB: AccountDiff(None, None, None, {}, deleted=True),
        }
    )
    assert state.account(ALICE) == Account(1, 1, keccak(CODE), {1: 0, 9: 9})
    assert state.account(BOB) == ABSENT_ACCOUNT


def test_only_a_complete_state_has_a_root():
    assert Prestate({}, {}, complete=True).state_root() == EMPTY_TRIE_ROOT
    with pytest.raises(InputError):
        Prestate({}, {}).state_root()
