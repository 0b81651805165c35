"""At most one canonical block a height, whichever logs claim it and in whatever order they are written."""

from collections import defaultdict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.windows.rivals import Claim, losers

CLAIMS = st.lists(
    st.builds(
        Claim,
        number=st.integers(1, 3),
        block_hash=st.integers(0, 4).map(lambda value: bytes([value]) * 32),
        log_id=st.sampled_from(["a", "b", "c"]),
        seq=st.integers(0, 9),
        seen_ns=st.integers(0, 9),
    ),
    max_size=12,
    unique_by=lambda claim: (claim.number, claim.block_hash),  # what the store's key keeps
)


@given(CLAIMS)
def test_exactly_one_block_stays_canonical_at_each_height(claims):
    lost = losers(claims)
    left = defaultdict(set)
    for claim in claims:
        if claim[:2] not in lost:
            left[claim.number].add(claim.block_hash)
    assert {number: len(hashes) for number, hashes in left.items()} == {one.number: 1 for one in claims}


@given(CLAIMS, st.randoms())
def test_the_order_of_claims_decides_nothing(claims, rng):
    shuffled = list(claims)
    rng.shuffle(shuffled)
    assert losers(shuffled) == losers(claims)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=6, unique=True), st.lists(st.integers(0, 9)))
def test_within_a_log_what_comes_later_is_right_though_its_clock_was_set_back(seqs, clocks):
    claims = [
        Claim(7, bytes([seq]) * 32, "a", seq, clocks[place] if place < len(clocks) else 0)
        for place, seq in enumerate(sorted(seqs))
    ]
    assert losers(claims) == {older[:2] for older, _ in pairwise(claims)}


def test_between_logs_the_block_seen_later_is_right():
    early, late = Claim(7, b"e" * 32, "a", 900, 10), Claim(7, b"l" * 32, "b", 1, 20)
    assert losers([late, early]) == {early[:2]}
