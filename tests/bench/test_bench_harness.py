"""The harness: minima per block over interleaved rounds, and ratios held against budgets."""

from mev_dagster.bench.harness import interleave, judge


def test_a_contender_is_worth_its_fastest_round_of_each_block():
    now = [0.0]
    costs = {("ours", 0): [5, 3, 4], ("ours", 1): [2, 9, 9], ("peer", 0): [7, 7, 7], ("peer", 1): [8, 6, 8]}

    def contender(name):
        def work(block):
            now[0] += costs[name, block].pop()

        return work

    seconds = interleave(
        {name: contender(name) for name in ("ours", "peer")}, [0, 1], rounds=3, clock=lambda: now[0]
    )
    assert seconds == {"ours": 3 + 2, "peer": 7 + 6}


def test_ratios_are_judged_and_a_missing_side_is_not():
    kept = judge(
        "x", 10.0, "us", peer="p", peer_value=90.0, limit_value=8.0, at_least_peer=8, at_most_limit=1.5
    )
    assert (kept.ratio_to_peer, kept.ratio_to_limit, kept.ok) == (9.0, 1.25, True)
    assert judge("x", 10.0, "us", limit_value=5.0, at_most_limit=1.5).ok is False
    assert judge("x", 10.0, "us", peer="p", peer_value=70.0, at_least_peer=8).ok is False
    alone = judge("x", 10.0, "us", at_least_peer=8, at_most_limit=1.5)
    assert (alone.ok, alone.budget) == (True, "")


def test_a_row_has_the_keys_that_others_rely_on():
    assert set(judge("x", 1.0, "us").as_json()) >= {
        *("name", "value", "unit", "peer", "peer_value", "limit_value"),
        *("ratio_to_peer", "ratio_to_limit", "budget", "ok"),
    }
