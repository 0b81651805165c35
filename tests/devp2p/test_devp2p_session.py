"""A whole conversation between two sessions, the order it must keep, and what breaks it."""

import pytest
from devp2p_sessions import ALICE, BOB, FixedChain, converse, events, joined, pair

from mev_dagster.devp2p import snappy
from mev_dagster.devp2p.eth.messages import (
    GetPooledTransactions,
    NewPooledTransactionHashes,
    PooledTransactions,
    Status,
)
from mev_dagster.devp2p.eth.pooled import PooledTransaction
from mev_dagster.devp2p.hello import HELLO, PING, Reason, decode_disconnect, encode_disconnect
from mev_dagster.devp2p.rlpx import RlpxLink
from mev_dagster.devp2p.session import Disconnected, Handshaken, Ponged, Ready, Session, State
from mev_dagster.errors import DecodeError, ProtocolViolation


@pytest.mark.parametrize("step", [1, 7, 31, 32, 33, 1000])
def test_a_stream_may_be_cut_anywhere(step):
    alice, bob = pair()
    heard_by_alice, heard_by_bob = converse(alice, bob, step=step)
    assert [type(event) for event in heard_by_alice] == [Handshaken, Ready]
    assert [type(event) for event in heard_by_bob] == [Handshaken, Ready]
    assert (alice.version, bob.version) == (71, 71)
    announcement = NewPooledTransactionHashes(b"\x00\x02", (100, 200), (b"\x01" * 32, b"\x02" * 32))
    bob.send(announcement)
    alice.send(GetPooledTransactions(7, announcement.hashes))
    heard_by_alice, heard_by_bob = converse(alice, bob, step=step)
    assert heard_by_alice == [announcement]
    assert heard_by_bob == [GetPooledTransactions(7, announcement.hashes)]


def test_a_recipient_learns_who_calls():
    alice, bob = pair(alice_listen_port=30_303)
    _, heard = converse(alice, bob)
    assert heard[0] == Handshaken(ALICE.id)
    ready = heard[1]
    assert (ready.hello.client, ready.hello.listen_port, ready.hello.node_id) == (
        "alice",
        30_303,
        ALICE.id,
    )


@pytest.mark.parametrize(
    ("theirs", "agreed"), [((66, 67, 68), 68), ((68, 69), 69), ((70,), 70), ((72, 69), 69)]
)
def test_the_newest_shared_version_counts(theirs, agreed):
    alice, bob = joined(bob_versions=theirs)
    assert (alice.version, bob.version) == (agreed, agreed)


def test_no_shared_version_makes_a_useless_peer():
    with pytest.raises(ProtocolViolation, match="useless_peer"):
        joined(bob_versions=(72, 73))


def test_a_peer_of_another_genesis_is_refused():
    with pytest.raises(ProtocolViolation, match="other_genesis"):
        joined(bob_statuses=FixedChain(b"\x48" * 32))


def test_a_mimic_tells_its_chain_second():
    alice, bob = joined(alice_statuses=FixedChain(mimic=True))
    assert alice.state is bob.state is State.OPEN


def test_pings_are_answered_and_both_ends_hear_of_life():
    alice, bob = joined()
    alice.ping()
    heard_by_alice, heard_by_bob = converse(alice, bob)
    assert (heard_by_alice, heard_by_bob) == ([Ponged()], [Ponged()])


def test_a_goodbye_ends_the_conversation():
    alice, bob = joined()
    bob.disconnect(Reason.TOO_MANY_PEERS)
    heard, _ = converse(alice, bob)
    assert heard == [Disconnected(Reason.TOO_MANY_PEERS)]
    assert alice.state is State.CLOSED


@pytest.mark.parametrize(
    "payload", [b"\x04", b"\xc1\x04", encode_disconnect(Reason.TOO_MANY_PEERS), snappy.compress(b"\xc1\x04")]
)
def test_a_goodbye_is_understood_in_every_form_peers_send(payload):
    alice, bob = joined()
    bob.link.send(1, payload)
    alice.receive(bob.take_output())
    assert list(events(alice)) == [Disconnected(Reason.TOO_MANY_PEERS)]


@pytest.mark.parametrize(
    ("payload", "reason"), [(b"", Reason.UNKNOWN), (b"\x80", Reason.REQUESTED), (b"\xc1\x77", Reason.UNKNOWN)]
)
def test_a_strange_goodbye_still_is_one(payload, reason):
    assert decode_disconnect(payload) is reason


def send_raw(session: Session, message_id: int, payload: bytes) -> bytes:
    session.link.send(message_id, payload)
    return session.take_output()


def half_open() -> tuple[Session, Session]:
    """Alice has shaken hands and sent nothing of her own; Bob waits for her Hello."""
    alice, bob = pair()
    bob.receive(alice.take_output())
    list(events(bob))
    alice.receive(bob.take_output())
    assert alice.link.shake_hands()
    return alice, bob


@pytest.mark.parametrize(
    ("message_id", "reason"), [(PING, "no_hello"), (0x10, "no_hello"), (0x18, "no_hello"), (0x7F, "no_hello")]
)
def test_nothing_may_come_before_hello(message_id, reason):
    alice, bob = half_open()
    bob.receive(send_raw(alice, message_id, b"\xc0"))
    with pytest.raises(ProtocolViolation, match=reason):
        list(events(bob))


def test_a_hello_must_name_the_key_that_shook_hands():
    alice, bob = half_open()
    liar = Session(BOB, ALICE.id, client="liar", statuses=FixedChain())
    bob.receive(send_raw(alice, HELLO, liar._own_hello.encode()))
    with pytest.raises(ProtocolViolation, match="unexpected_identity"):
        list(events(bob))


VIOLATIONS = {
    "second_hello": (HELLO, b"\xc0"),
    "second_status": (
        0x10,
        None,
    ),
    "bad_message_id": (0x10 + 20, b"\xc0"),
    "snappy_bomb": (0x18, b"\x80\x80\x80\x04"),
    "oversize_message": (0x18, b"\xff\xff\xff\x7f"),
    "bad_snappy": (0x18, b"\xff\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("reason", VIOLATIONS)
def test_a_violation_is_named(reason):
    alice, bob = joined()
    message_id, payload = VIOLATIONS[reason]
    if payload is None:
        alice.send(FixedChain().own_status(71, None))
        data = alice.take_output()
    else:
        data = send_raw(alice, message_id, payload)
    bob.receive(data)
    with pytest.raises(DecodeError, match=reason):
        list(events(bob))


@pytest.mark.parametrize("version", [69, 70, 71])
def test_a_status_without_a_served_range_is_refused(version):
    class Hollow(FixedChain):
        def own_status(self, version: int, remote: Status | None) -> Status | None:
            return Status(version, 1, self.genesis, super().own_status(version, None).fork_id, bytes(32))

    with pytest.raises(ProtocolViolation, match="bad_range"):
        joined(alice_versions=(version,), bob_statuses=Hollow())


def test_a_changed_byte_in_a_frame_is_noticed_before_it_is_decrypted():
    for position in range(200):
        alice, bob = joined()
        alice.send(PooledTransactions(1, (PooledTransaction(b"", 2, 80, b"\x02" + bytes(range(80))),)))
        frame = bytearray(alice.take_output())
        if position >= len(frame):
            break
        frame[position] ^= 1
        bob.receive(bytes(frame))
        with pytest.raises(ProtocolViolation, match=r"bad_(header|body)_mac"):
            list(events(bob))


def test_a_frame_larger_than_the_limit_is_refused_at_its_head():
    alice, bob = joined()
    bob.link.frame_limit = 1000
    alice.link.send(0x18, bytes(2000))
    bob.receive(alice.take_output()[:32])
    with pytest.raises(ProtocolViolation, match="oversize_frame"):
        list(events(bob))


def test_before_hello_only_small_frames_are_read():
    alice, bob = half_open()
    bob.receive(send_raw(alice, HELLO, bytes(3000))[:32])
    with pytest.raises(ProtocolViolation, match="oversize_frame"):
        list(events(bob))


def test_a_link_says_how_much_it_waits_for():
    bob = RlpxLink(BOB, None)
    assert (bob.awaited, bob.complete) == (2, False)
    alice = RlpxLink(ALICE, BOB.id)
    auth = alice.take_output()
    bob.receive(auth[:2])
    assert not bob.shake_hands()
    assert bob.awaited == len(auth)
    bob.receive(auth[2:])
    assert bob.complete
    assert bob.shake_hands()
    assert bob.buffered == 0
