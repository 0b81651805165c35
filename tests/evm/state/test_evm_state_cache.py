"""What stays known from block to block."""

from mev_dagster.evm.state.state_cache import StateCache
from mev_dagster.evm.types import ABSENT_ACCOUNT, Account, AccountDiff

A, B, C = (bytes([number]) * 20 for number in (1, 2, 3))
SOMEBODY = Account(1, 1, b"\x01" * 32)


def cache() -> StateCache:
    found = StateCache(accounts_kept=2, slots_kept=3, codes_kept=1)
    found.accounts.update(dict.fromkeys((A, B, C), SOMEBODY))
    found.slots.update({(A, 1): 10, (A, 2): 20, (B, 1): 30, (C, 1): 40})
    found.codes.update({b"\x0a" * 32: b"a", b"\x0b" * 32: b"b"})
    return found


def change(**fields) -> AccountDiff:
    return AccountDiff(**({"balance_wei": None, "nonce": None, "code": None, "storage": {}} | fields))


def test_exactly_what_a_block_changed_is_forgotten():
    found = cache()
    found.invalidate({A: change(storage={2: 21}), B: change(balance_wei=5)})
    assert set(found.accounts) == {C}
    assert found.slots == {(A, 1): 10, (B, 1): 30, (C, 1): 40}
    assert len(found.codes) == 2


def test_an_account_that_was_emptied_loses_every_slot():
    for emptied in (change(deleted=True), change(storage={7: 1}, storage_cleared=True)):
        found = cache()
        found.invalidate({A: emptied})
        assert found.slots == {(B, 1): 30, (C, 1): 40}


def test_the_least_recently_read_goes_first():
    found = cache()
    found.trim([A], [(A, 1)], [b"\x0a" * 32])
    assert list(found.accounts) == [C, A]
    assert list(found.slots) == [(B, 1), (C, 1), (A, 1)]
    assert list(found.codes) == [b"\x0a" * 32]
    found.accounts[B] = ABSENT_ACCOUNT
    found.trim([C], [], [])
    assert list(found.accounts) == [B, C]


def test_what_was_read_and_is_gone_does_not_come_back():
    found = cache()
    found.trim([b"\x99" * 20], [(b"\x99" * 20, 1)], [])
    assert b"\x99" * 20 not in found.accounts
