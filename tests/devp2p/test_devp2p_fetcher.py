"""The fetcher in virtual time, among silent, partial, lying, flooding, unsolicited and leaving peers."""

import random

import pytest
from devp2p_simulation import MS, Empty, Gappy, Liar, Partial, Peer, Silent, Slow, World, body

from mev_dagster.devp2p.fetcher import Fetcher, FetchLimits

POOL = [body(number) for number in range(40)]


def world(*peers: Peer, **options) -> World:
    return World(peers, **options)


def test_a_burst_becomes_one_request_after_the_slack():
    peer = Peer("a", POOL)
    run = world(peer)
    for index, tx in enumerate(POOL):
        run.announce(peer, [tx], ms=index * 0.1)
    run.run()
    assert [(at, len(request.hashes)) for at, request in run.requests] == [(10 * MS, 40)]
    assert run.delivered.keys() == peer.pool.keys()


def test_a_request_holds_256_hashes_and_128_kib_as_announced():
    many, large = [body(n) for n in range(600)], [body(n, size=50_000) for n in range(5)]
    peer, other = Peer("a", many), Peer("b", large)
    run = world(peer, other)
    run.announce(peer, many)
    run.announce(other, large)
    run.run()
    assert [len(r.hashes) for _, r in run.requests if r.peer == "a"] == [256, 256, 88]
    assert [len(r.hashes) for _, r in run.requests if r.peer == "b"] == [2, 2, 1]


def test_a_transaction_over_the_byte_limit_is_asked_for_alone():
    peer = Peer("a", [body(1, size=500_000), body(2)])
    run = world(peer)
    run.announce(peer, list(peer.pool.values()))
    run.run()
    assert [len(request.hashes) for _, request in run.requests] == [1, 1]


def test_blob_transactions_go_one_at_a_time_and_hold_up_nothing():
    pool = [body(1), body(2, kind=3, size=140_000), body(3), body(4, kind=3, size=140_000)]
    peer = Peer("a", pool)
    run = world(peer)
    run.announce(peer, pool)
    run.run()
    assert [request.hashes for _, request in run.requests] == [
        (pool[0].hash, pool[2].hash),
        (pool[1].hash,),
        (pool[3].hash,),
    ]


def test_what_many_announce_is_asked_for_once():
    peers = [Peer(name, POOL) for name in "abcdef"]
    run = world(*peers)
    for index, peer in enumerate(peers):
        run.announce(peer, POOL, ms=index)
    run.run()
    assert sum(len(request.hashes) for _, request in run.requests) == len(POOL)


def test_a_silent_peer_loses_its_hashes_to_a_hedge_after_a_second_and_a_half():
    silent, honest = Silent("a", POOL), Peer("b", POOL)
    run = world(silent, honest)
    run.announce(silent, POOL)
    run.announce(honest, POOL, ms=500)
    run.run()
    assert run.delivered.keys() == honest.pool.keys()
    (_, first), (at, second) = run.requests
    assert (first.peer, second.peer, second.hedged) == ("a", "b", True)
    assert at == (10 + 1500) * MS


def test_a_peer_that_timed_out_is_never_asked_for_the_same_hash_and_not_for_others_until_it_answers():
    silent = Silent("a", POOL)
    run = world(silent)
    run.announce(silent, POOL[:20])
    run.announce(silent, POOL[20:], ms=6_000)
    run.run()
    assert len(run.requests) == 1
    assert run.fetcher.counts["timeout"] == 1
    assert run.fetcher.overdue(run.now, 1_000 * MS) == ["a"]


def test_a_late_answer_still_counts():
    slow = Slow("a", POOL)
    run = world(slow)
    run.announce(slow, POOL)
    run.run()
    assert run.delivered.keys() == slow.pool.keys()
    assert run.fetcher.counts["late"] == 1


def test_a_late_announcer_takes_over_from_a_peer_that_does_not_answer():
    silent, honest = Silent("a", POOL), Peer("b", POOL)
    run = world(silent, honest)
    run.announce(silent, POOL)
    run.announce(honest, POOL, ms=20_000)
    run.run()
    assert run.delivered.keys() == honest.pool.keys()


def test_the_rest_of_a_full_answer_is_asked_for_again_of_the_same_peer():
    partial = Partial("a", POOL)
    run = world(partial)
    run.announce(partial, POOL)
    run.run()
    assert run.delivered.keys() == partial.pool.keys()
    assert len(run.requests) > 3


def test_a_gap_in_an_answer_means_that_this_peer_has_none():
    pool = POOL[:39]  # so that the last one is delivered, and no tail is left to ask for again
    gappy, honest = Gappy("a", pool), Peer("b", pool)
    run = world(gappy, honest)
    run.announce(gappy, pool)
    run.announce(honest, pool, ms=15)
    run.run()
    assert run.delivered.keys() == honest.pool.keys()
    assert [len(request.hashes) for _, request in run.requests if request.peer == "b"] == [19]


def test_what_nobody_has_is_forgotten_and_may_be_announced_anew():
    empty = Empty("a")
    run = world(empty)
    run.announce(empty, POOL)
    run.run()
    assert len(run.fetcher) == 0
    assert run.fetcher.counts["unavailable"] == len(POOL)
    run.announce(empty, POOL)
    run.run()
    assert len(run.requests) == 2


def test_a_liar_delivers_nothing_and_is_named():
    liar, honest = Liar("a", POOL), Peer("b", POOL)
    run = world(liar, honest)
    run.announce(liar, POOL)
    run.announce(honest, POOL, ms=15)
    run.run()
    assert run.delivered.keys() == honest.pool.keys()
    assert ("a", "unrequested_transaction") in run.violations


@pytest.mark.parametrize(
    ("announced", "violation"), [(body(1, kind=1), "wrong_type"), (body(1, size=400), "wrong_size")]
)
def test_a_body_unlike_its_announcement_is_kept_and_its_announcer_named(announced, violation):
    real = body(1)
    fetcher = Fetcher()
    fetcher.join("a")
    fetcher.announced("a", [real.hash], bytes((announced.type,)), [announced.size], 0)
    (request,) = fetcher.due(10 * MS)
    delivery = fetcher.answered("a", request.request_id, [real], 20 * MS)
    assert (delivery.accepted, delivery.violations) == ([real], [violation])


def test_answers_nobody_asked_for_change_nothing():
    fetcher = Fetcher()
    fetcher.join("a")
    fetcher.join("b")
    fetcher.announced("a", [POOL[0].hash], b"\x02", [300], 0)
    (request,) = fetcher.due(10 * MS)
    for peer, request_id in (("a", 999), ("b", request.request_id)):
        delivery = fetcher.answered(peer, request_id, [POOL[0]], 11 * MS)
        assert (delivery.accepted, delivery.violations) == ([], ["unsolicited_answer"])
    assert fetcher.answered("a", request.request_id, [POOL[0]], 12 * MS).accepted == [POOL[0]]
    again = fetcher.answered("a", request.request_id, [POOL[0]], 13 * MS)
    assert again.violations == ["unsolicited_answer"], "an id is good for one answer"


def test_a_flood_is_bounded_and_starves_no_one():
    flooder, honest = Silent("a"), Peer("b", POOL)
    run = world(flooder, honest, limits=FetchLimits(offers_per_peer=1_000))
    bogus = [body(n) for n in range(10_000, 15_000)]
    run.announce(flooder, bogus)
    run.announce(honest, POOL, ms=1)
    run.run()
    assert run.delivered.keys() == honest.pool.keys()
    assert len(run.fetcher) == 1_000
    assert run.fetcher.counts["over_limit"] == 4_000


def test_known_pushed_and_settled_hashes_are_not_asked_for():
    peer = Peer("a", POOL)
    run = world(peer, known={POOL[0].hash})
    assert run.fetcher.pushed("a", POOL[:2], run.now) == [POOL[1]]
    run.fetcher.settle(POOL[2].hash)
    run.announce(peer, POOL)
    run.run()
    assert run.delivered.keys() == peer.pool.keys() - {tx.hash for tx in POOL[:3]}


def test_a_body_that_comes_another_way_ends_the_wait():
    silent = Silent("a", POOL)
    run = world(silent)
    run.announce(silent, POOL)
    run.run(1)
    for tx in POOL:
        run.fetcher.settle(tx.hash)
    assert len(run.fetcher) == 0
    run.fetcher.leave("a")
    assert run.fetcher.in_flight == 0


def test_bodies_that_found_no_room_are_asked_for_again_until_they_do():
    """The queue is full for three seconds: nothing is lost, and nobody is blamed."""
    peer = Peer("a", POOL)
    run = world(peer, has_room=lambda now_ns: now_ns > 3_000 * MS)
    run.announce(peer, POOL)
    run.run()
    assert run.delivered.keys() == peer.pool.keys()
    assert all(at > 3_000 * MS for at in run.delivered.values())
    assert run.violations == []
    gaps = [after - before for (before, _), (after, _) in zip(run.requests, run.requests[1:], strict=False)]
    assert len(run.requests) > 2
    assert min(gaps) >= 250 * MS, "a receiver without room is given time to make some"


def test_a_body_without_room_comes_from_another_peer_when_its_first_one_leaves():
    leaver, stayer = Peer("a", POOL), Peer("b", POOL)
    run = world(leaver, stayer, has_room=lambda now_ns: now_ns > 1_000 * MS)
    run.announce(leaver, POOL)
    run.announce(stayer, POOL, ms=5)
    run.leave(leaver, ms=200)
    run.run()
    assert run.delivered.keys() == stayer.pool.keys()


def test_a_pushed_body_without_room_is_asked_for_like_an_announced_one():
    pusher = Peer("a", POOL)
    run = world(pusher)
    assert run.fetcher.pushed("a", POOL, run.now, take=lambda _: False) == []
    run.run()
    assert run.delivered.keys() == pusher.pool.keys()


CHARACTERS = [Silent, Slow, Partial, Gappy, Liar, Empty]


@pytest.mark.parametrize("seed", range(60))
def test_no_hash_is_lost_while_one_honest_peer_has_it(seed):
    """Any crowd, any timing, peers leaving, a queue now full, now not: what honest peers announced comes."""
    chance = random.Random(seed)
    full_share = chance.choice([0.0, 0.5, 0.9])
    pool = [
        body(n, kind=chance.choice([0, 2, 2, 2, 3]), size=chance.choice([120, 300, 9_000]))
        for n in range(300)
    ]
    honest = [Peer(f"honest{n}", chance.sample(pool, 150)) for n in range(chance.randint(1, 3))]
    others = [
        chance.choice(CHARACTERS)(f"other{n}", chance.sample(pool, 200)) for n in range(chance.randint(1, 6))
    ]
    room = random.Random(seed + 1)
    run = world(
        *others,
        *honest,
        seed=seed,
        limits=FetchLimits(offers_per_peer=400),
        has_room=lambda _: room.random() >= full_share,
    )
    for peer in (*others, *honest):
        announced = list(peer.pool.values())
        chance.shuffle(announced)
        for at in range(0, len(announced), 25):
            run.announce(peer, announced[at : at + 25], ms=chance.uniform(0, 8_000))
    for peer in others:
        if chance.random() < 0.4:
            run.leave(peer, ms=chance.uniform(0, 15_000))
    run.run(120)
    had = {tx_hash for peer in honest for tx_hash in peer.pool}
    assert had <= run.delivered.keys()


def test_the_same_world_runs_the_same_way_twice():
    def history(seed):
        peers = [kind(f"{kind.__name__}", POOL) for kind in (*CHARACTERS, Peer)]
        run = world(*peers, seed=seed)
        for peer in peers:
            run.announce(peer, POOL)
        run.run()
        return run.requests, run.delivered

    assert history(5) == history(5)
