"""Cycle enumeration against the obvious nested loops."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.dex.graph import Leg, PairGraph
from mev_dagster.dex.venues.uniswap_v2 import Pair

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
                legs.append(Leg(pair.address, token))
                token = pair.other(token)
            else:
                if token == WETH:
                    found.add(tuple(legs))
    return found


@given(markets())
def test_every_short_cycle_is_found_once(pairs):
    found = list(PairGraph(pairs).cycles(WETH))
    assert len(found) == len(set(found))
    assert set(found) == brute_force(pairs)


@given(markets(), st.data())
def test_a_touched_pair_selects_the_cycles_that_cross_it(pairs, data):
    touched = frozenset(data.draw(st.sets(st.sampled_from([pair.address for pair in pairs] or [b""]))))
    graph = PairGraph(pairs)
    expected = {cycle for cycle in graph.cycles(WETH) if any(leg.pair in touched for leg in cycle)}
    assert set(graph.cycles(WETH, touched)) == expected


@given(markets(), st.randoms())
def test_the_order_of_the_cycles_does_not_depend_on_the_order_of_the_pairs(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert list(PairGraph(pairs).cycles(WETH)) == list(PairGraph(shuffled).cycles(WETH))


def test_hops_follow_the_direction_and_take_the_moved_reserves():
    pair = Pair(b"\x01" * 20, TOKENS[0], TOKENS[1], 100, 200)
    other = Pair(b"\x02" * 20, TOKENS[0], TOKENS[1], 300, 400)
    graph = PairGraph([pair, other])
    cycle = (Leg(pair.address, TOKENS[0]), Leg(other.address, TOKENS[1]))
    assert [hop[:2] for hop in graph.hops(cycle)] == [(100, 200), (400, 300)]
    moved = {other.address: other.after(TOKENS[1], 10, 5)}
    assert [hop[:2] for hop in graph.hops(cycle, moved)] == [(100, 200), (410, 295)]
