"""TXT look-ups against a name server on loopback, honest, slow of hearing, forging, or absent."""

import asyncio

import pytest

from mev_dagster.devp2p.txt import TxtResolver
from mev_dagster.errors import DecodeError, DnsUnreachable


def answer_to(query: bytes, *strings: bytes, count: int = 1) -> bytes:
    question = query[12:-11]
    data = b"".join(bytes((len(string),)) + string for string in strings)
    record = b"\xc0\x0c" + bytes((0, 16, 0, 1, 0, 0, 0, 60)) + len(data).to_bytes(2, "big") + data
    return query[:2] + bytes((0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0)) + question + record * count


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, replies) -> None:
        self.replies = replies

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        for reply in self.replies(data):
            self.transport.sendto(reply, addr)


async def resolver(replies) -> tuple[TxtResolver, asyncio.DatagramTransport]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: NameServer(replies), local_addr=("127.0.0.1", 0)
    )
    return TxtResolver(transport.get_extra_info("sockname")), transport


async def test_the_strings_of_a_record_are_joined():
    resolve, transport = await resolver(lambda query: [answer_to(query, b"enrtree-", b"branch:")])
    assert await resolve("a.example.org") == "enrtree-branch:"
    transport.close()


async def test_forged_and_damaged_answers_are_waited_past():
    def replies(query):
        forged = bytes((query[0] ^ 1,)) + answer_to(query, b"forged")[1:]
        return [forged, b"", query, answer_to(query, b"true")]

    resolve, transport = await resolver(replies)
    assert await resolve("a.example.org") == "true"
    transport.close()


async def test_a_name_without_a_record_is_an_error():
    resolve, transport = await resolver(lambda query: [answer_to(query, count=0)])
    with pytest.raises(DnsUnreachable, match="no TXT record"):
        await resolve("a.example.org")
    transport.close()


async def test_an_absent_server_is_an_error():
    _, transport = await resolver(lambda query: [])
    address = transport.get_extra_info("sockname")
    transport.close()
    await asyncio.sleep(0)
    with pytest.raises(DnsUnreachable, match="no answer"):
        await TxtResolver(address)("a.example.org")


async def test_a_name_that_is_none_is_refused_before_anybody_is_asked():
    with pytest.raises(DecodeError, match="bad_domain"):
        await TxtResolver(("127.0.0.1", 9))("a..b")


async def test_an_answer_that_is_not_text_is_refused():
    resolve, transport = await resolver(lambda query: [answer_to(query, b"\xff")])
    with pytest.raises(DecodeError, match="bad_dns_answer"):
        await resolve("a.example.org")
    transport.close()
