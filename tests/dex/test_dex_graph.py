"""Cycle enumeration against the obvious nested loops."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.dex.cycle import Leg
from mev_dagster.dex.graph import PoolGraph
from mev_dagster.dex.venue import Pool
from mev_dagster.dex.venues.uniswap_v2.pool import Pair

TOKENS = [bytes([index]) * 20 for index in range(1, 6)]
WETH = TOKENS[0]


@st.composite
def markets(draw):
    sides = draw(
        st.lists(st.tuples(st.sampled_from(TOKENS), st.sampled_from(TOKENS)).filter(lambda s: s[0] < s[1]))
    )
    return [
        Pair(index.to_bytes(20, "big"), *side, 1000 + index, 2000 + index) for index, side in enumerate(sides)
    ]


def brute_force(pairs):
    found = set()
    for length in (2, 3):
        for chosen in permutations(pairs, length):
            token, legs = WETH, []
            for position, pair in enumerate(chosen):
                if not pair.trades(token) or (token == WETH and position):
                    break
                legs.append(Leg(pair.address, token, pair.other(token)))
                token = pair.other(token)
            else:
                if token == WETH:
                    found.add(tuple(legs))
    return found


@given(markets())
def test_every_short_cycle_is_found_once(pairs):
    found = PoolGraph(pairs).cycles(WETH).all
    assert len(found) == len(set(found))
    assert set(found) == brute_force(pairs)


@given(markets(), st.data())
def test_a_touched_pair_selects_the_cycles_that_cross_it(pairs, data):
    touched = frozenset(data.draw(st.sets(st.sampled_from([pair.address for pair in pairs] or [b""]))))
    book = PoolGraph(pairs).cycles(WETH)
    expected = [at for at, cycle in enumerate(book.all) if any(leg.pool in touched for leg in cycle)]
    assert book.through(touched) == expected


@given(markets(), st.randoms())
def test_the_order_of_the_cycles_does_not_depend_on_the_order_of_the_pairs(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert PoolGraph(pairs).cycles(WETH).all == PoolGraph(shuffled).cycles(WETH).all


def test_a_pool_of_three_tokens_is_an_edge_between_each_two():
    class Three(Pool):
        address, family, tokens = b"\x09" * 20, "three", tuple(TOKENS[:3])

        def quote(self, token_in, token_out, amount_in):
            return amount_in

    pair = Pair(b"\x01" * 20, TOKENS[0], TOKENS[1], 100, 200)
    cycles = PoolGraph([Three(), pair]).cycles(WETH).all
    assert set(cycles) == {
        (Leg(pair.address, WETH, TOKENS[1]), Leg(Three.address, TOKENS[1], WETH)),
        (Leg(Three.address, WETH, TOKENS[1]), Leg(pair.address, TOKENS[1], WETH)),
    }
