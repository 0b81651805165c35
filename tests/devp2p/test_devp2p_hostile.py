"""Hostile peers on real sockets: what they cost is bounded, and what they do ends only themselves."""

import asyncio
import os
import resource
from contextlib import suppress

import psutil
import pytest
from devp2p_nodes import listening, raws, serving, until
from devp2p_sessions import FixedChain

from mev_dagster.devp2p import connection as connection_module
from mev_dagster.devp2p import snappy
from mev_dagster.devp2p.admission import InboundLimits
from mev_dagster.devp2p.handshake import Initiator
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.large_frames import SLOTS, LargeFrames
from mev_dagster.devp2p.network import NetworkConfig
from mev_dagster.devp2p.session import Session, State

MANY = NetworkConfig(listen_port=0, inbound=InboundLimits(peers=40, pending=50))
MIB = 1024 * 1024


class Hostile:
    """A hand-driven session on a socket."""

    def __init__(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.session, self.reader, self.writer = session, reader, writer

    @classmethod
    async def open(cls, network) -> "Hostile":
        session = Session(NodeKey.generate(), network.key.id, client="hostile", statuses=FixedChain())
        hostile = cls(session, *await asyncio.open_connection("127.0.0.1", network.port))
        async with asyncio.timeout(30):
            while session.state is not State.OPEN:
                hostile.flush()
                session.receive(await hostile.reader.read(65_536))
                while session.next_event() is not None:
                    pass
            hostile.flush()
        return hostile

    def flush(self) -> None:
        self.writer.write(self.session.take_output())

    async def wait_closed(self) -> None:
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                while await self.reader.read(65_536):
                    pass
        self.writer.close()


ATTACKS = {
    "snappy bomb": lambda h: h.session.link.send(0x18, b"\x80\x80\x80\x04"),
    "oversize message": lambda h: h.session.link.send(0x18, b"\xff\xff\xff\x7f" + bytes(100)),
    "unknown message": lambda h: h.session.link.send(0x7F, snappy.compress(b"\xc0")),
    "second hello": lambda h: h.session.link.send(0x00, b"\xc0"),
    "nested lists": lambda h: h.session.link.send(0x13, snappy.compress(b"\xf9\x01\x00" + b"\xc1" * 256)),
    "not rlp": lambda h: h.session.link.send(0x18, snappy.compress(b"\xff" * 50)),
    "wrong mac": lambda h: h.writer.write(os.urandom(64)),
    "unequal lists": lambda h: h.session.link.send(0x18, snappy.compress(bytes.fromhex("c3800180"))),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attacker_is_dropped_and_nobody_else_notices(attack):
    async with listening(MANY) as node, serving() as (gateway, network):
        await node.network.dial(network.enode)
        hostile = await Hostile.open(node.network)
        await until(lambda: node.notes.peers == 2, "both peers")
        ATTACKS[attack](hostile)
        hostile.flush()
        await hostile.wait_closed()
        await until(lambda: node.notes.peers == 1, "the attacker to be gone")
        gateway.add(raws(50))
        await until(lambda: len(node.notes.bodies) == 50, "the honest peer's transactions")


BEFORE_THE_HANDSHAKE = {
    "noise": os.urandom(5_000),
    "zero size": bytes(2) + bytes(500),
    "huge size": b"\xff\xff" + bytes(500),
    "not on the curve": (500).to_bytes(2, "big") + b"\x04" + b"\xff" * 64 + bytes(435),
    "plain http": b"GET / HTTP/1.1\r\n\r\n" * 40,
}


@pytest.mark.parametrize("what", BEFORE_THE_HANDSHAKE)
async def test_what_is_no_handshake_is_hung_up_on(what):
    async with listening(MANY) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.network.port)
        writer.write(BEFORE_THE_HANDSHAKE[what])
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        await until(lambda: not node.network._connections, "nothing to be left")


async def test_a_replayed_auth_packet_gets_no_further_than_an_ack():
    async with listening(MANY) as node:
        auth = Initiator(NodeKey.generate(), node.network.key.id, os.urandom).auth
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.network.port)
            writer.write(auth + os.urandom(64))
            async with asyncio.timeout(30):
                with suppress(ConnectionError):
                    await reader.read()
            writer.close()
        assert node.network.peers == {}


async def test_a_slow_loris_is_ended_by_the_clock(monkeypatch):
    monkeypatch.setattr(connection_module, "HANDSHAKE_SECONDS", 0.3)
    async with listening(MANY) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.network.port)

        async def drip() -> None:
            with suppress(ConnectionError):
                for byte in (500).to_bytes(2, "big") + bytes(400):
                    writer.write(bytes((byte,)))
                    await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        dripping.cancel()
        writer.close()


@pytest.mark.parametrize("thousands", [1, pytest.param(10, marks=pytest.mark.long)], ids="{} thousand".format)
async def test_thousands_of_pending_connections_leave_fifty(thousands):
    limit = InboundLimits(peers=10, pending=50)
    async with listening(NetworkConfig(listen_port=0, inbound=limit)) as node:
        before = psutil.Process().memory_info().rss
        held = []
        for _ in range(10 * thousands):
            opened = await asyncio.gather(
                *(asyncio.open_connection("127.0.0.1", node.network.port) for _ in range(100)),
                return_exceptions=True,
            )
            held += [pair[1] for pair in opened if not isinstance(pair, BaseException)]
            await asyncio.sleep(0)
            for writer in [writer for writer in held if writer.transport.is_closing()]:
                held.remove(writer)
            assert len(node.network._connections) <= 50
        refused = node.metrics.refused.labels("pending_full")._value.get()
        grown = psutil.Process().memory_info().rss - before
        for writer in held:
            writer.close()
        assert refused >= 900 * thousands
        assert grown < 64 * MIB, f"{grown / MIB:.1f} MiB for {thousands} thousand strangers"


async def test_only_a_few_large_frames_are_let_in_at_a_time():
    """Twelve peers announce ten-megabyte frames and send what the socket takes: a few are read on."""
    async with listening(MANY) as node:
        hostile = [await Hostile.open(node.network) for _ in range(12)]
        await until(lambda: node.notes.peers == 12, "twelve peers")
        before = psutil.Process().memory_info().rss
        for each in hostile:
            each.session.link.send(0x18, bytes(10 * MIB - 100))
            each.writer.write(each.session.take_output()[: 6 * MIB])
        links = [connection.session.link for connection in node.network._connections]
        await until(lambda: sum(link.buffered > 5 * MIB for link in links) == SLOTS, "the slots to fill")
        await asyncio.sleep(0.3)
        buffered = sorted(link.buffered for link in links)
        assert buffered[-SLOTS - 1] < MIB, "a peer without a slot is not read on"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        assert peak - before < 512 * MIB
        for each in hostile:
            each.writer.transport.abort()


def test_slots_for_large_frames_go_round():
    slots, granted = LargeFrames(2), []
    assert slots.take("a", lambda: granted.append("a"))
    assert slots.take("b", lambda: granted.append("b"))
    assert not slots.take("c", lambda: granted.append("c"))
    assert not slots.take("d", lambda: granted.append("d"))
    assert slots.take("a", lambda: None), "asking again changes nothing"
    slots.release("c")
    slots.release("a")
    assert granted == ["d"]
    slots.release("b")
    assert slots.take("e", lambda: None)
    assert not slots.take("f", lambda: None)


async def test_a_peer_that_reads_nothing_is_let_go(monkeypatch):
    monkeypatch.setattr(connection_module, "MAX_UNSENT_BYTES", 256 * 1024)
    async with serving() as (gateway, network):
        hostile = await Hostile.open(network)
        hostile.writer.transport.pause_reading()
        await until(lambda: network.peers, "the peer")
        for seed in range(400):
            gateway.add(raws(1_000, seed=seed))
            if not network.peers:
                break
            await asyncio.sleep(0)
        assert not network.peers
        hostile.writer.close()
