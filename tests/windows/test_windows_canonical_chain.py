"""The canonical chain is a fold over heads: reorgs, jumps, repeats."""

from mev_dagster.events.types import BlockReverted, BlockSeen, Lane, TxSeen
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED, BlockRef, CanonicalChain, Extension


def ref(number: int, fork: str = "a") -> BlockRef:
    return BlockRef(number, f"{fork}{number}".encode())


def grown(*numbers: int) -> CanonicalChain:
    chain = CanonicalChain()
    for number in numbers:
        chain.extend(ref(number), ref(number - 1).hash)
    return chain


def test_the_first_block_reverts_and_misses_nothing():
    assert CanonicalChain().extend(ref(100), ref(99).hash) == Extension()


def test_a_child_of_the_tip_extends_it():
    chain = grown(1, 2)
    assert chain.extend(ref(3), ref(2).hash) == Extension()
    assert chain.tip == ref(3)


def test_a_head_seen_twice_changes_nothing():
    chain = grown(1, 2, 3)
    assert chain.extend(ref(2), ref(1).hash).duplicate
    assert chain.tip == ref(3)


def test_a_child_of_an_older_block_reverts_what_stood_above_newest_first():
    chain = grown(1, 2, 3, 4)
    assert chain.extend(ref(3, "b"), ref(2).hash).reverted == (ref(4), ref(3))
    assert chain.tip == ref(3, "b")
    assert ref(4).hash not in chain


def test_a_block_can_come_back_after_its_rival_lost():
    chain = grown(1, 2)
    chain.extend(ref(2, "b"), ref(1).hash)
    assert chain.extend(ref(2), ref(1).hash).reverted == (ref(2, "b"),)


def test_a_jump_ahead_counts_the_blocks_never_shown():
    assert grown(1, 2).extend(ref(6), ref(5).hash) == Extension(missing=3)


def test_an_unknown_parent_reverts_the_rival_at_its_height():
    chain = grown(1, 2, 3, 4)
    assert chain.extend(ref(4, "b"), ref(3, "b").hash) == Extension(reverted=(ref(4), ref(3)), missing=1)


def test_another_chain_altogether_reverts_everything():
    chain = grown(10, 11)
    assert chain.extend(ref(3, "b"), ref(2, "b").hash) == Extension(reverted=(ref(11), ref(10)), missing=1)


def test_memory_is_bounded():
    chain = grown(*range(1, 3 * BLOCKS_REMEMBERED))
    assert len(chain) == BLOCKS_REMEMBERED


def test_a_copy_does_not_follow():
    chain = grown(1)
    twin = chain.copy()
    chain.extend(ref(2), ref(1).hash)
    assert twin.tip == ref(1)


def test_a_new_block_is_no_duplicate():
    chain = CanonicalChain()
    assert not chain.extend(ref(1), ref(0).hash).duplicate
    assert not chain.extend(ref(2), ref(1).hash).duplicate
    assert chain.extend(ref(2), ref(1).hash).duplicate


def test_a_log_is_folded_as_it_was_decided():
    chain = CanonicalChain()
    stamps = (0, 0, 0, Lane.RPC, "node")
    heads = [BlockSeen(*stamps, one.number, one.hash, b"", b"", ()) for one in (ref(1), ref(2), ref(3))]
    sighting = TxSeen(*stamps, b"\x01" * 32)
    chain.replay([*heads, sighting, BlockReverted(*stamps, 3, ref(3).hash)])
    assert chain.tip == ref(2)
    assert [one.hash in chain for one in (ref(1), ref(2), ref(3))] == [True, True, False]
