"""TXT look-ups against a name server on loopback, honest, slow of hearing, forging, or absent."""

import asyncio

import pytest

from mev_dagster.devp2p.txt import TxtResolver, decode_answer, encode_query, system_server
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


def test_a_cut_off_answer_and_a_bad_name_are_refused():
    query = encode_query(1, "a.example.org")
    answer = bytearray(answer_to(query, b"text"))
    answer[2] |= 0x02
    with pytest.raises(DecodeError, match="cut off"):
        decode_answer(1, bytes(answer))
    with pytest.raises(DecodeError, match="bad_domain"):
        encode_query(1, "a..b")


def test_the_name_server_is_the_machines_own(tmp_path):
    (tmp_path / "resolv.conf").write_text("search x\nnameserver 192.0.2.7\nnameserver 192.0.2.8\n")
    assert system_server(tmp_path / "resolv.conf") == ("192.0.2.7", 53)
    assert system_server(tmp_path / "absent") == ("127.0.0.1", 53)
