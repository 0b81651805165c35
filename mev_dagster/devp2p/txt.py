"""TXT records over UDP (RFC 1035, EDNS0): as much DNS as EIP-1459 needs."""

import asyncio
import os
import struct
from pathlib import Path

from mev_dagster.errors import DecodeError, DnsUnreachable

TXT, OPT, INTERNET = 16, 41, 1
ANSWER_BYTES = 4096
TIMEOUT_SECONDS = 3.0
TRIES = 3
_HEADER = struct.Struct(">HHHHHH")
_RECORD = struct.Struct(">HHIH")


def encode_query(query_id: int, name: str) -> bytes:
    """Return a query for the TXT records of `name`."""
    labels = [label.encode("ascii") for label in name.split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise DecodeError("bad_domain", f"{name!r} is no domain name")
    question = b"".join(bytes((len(label),)) + label for label in labels) + b"\x00"
    edns = b"\x00" + _RECORD.pack(OPT, ANSWER_BYTES, 0, 0)
    return _HEADER.pack(query_id, 0x0100, 1, 0, 0, 1) + question + struct.pack(">HH", TXT, INTERNET) + edns


def decode_answer(query_id: int, data: bytes) -> str | None:
    """Return the first TXT record of an answer, its strings joined; None when there is none."""
    try:
        answered_id, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
        if answered_id != query_id or not flags & 0x8000:
            raise DecodeError("bad_dns_answer", "not the answer to this query")
        if flags & 0x0200:
            raise DecodeError("bad_dns_answer", "cut off")
        at = _HEADER.size
        for _ in range(questions):
            at = _skip_name(data, at) + 4
        for _ in range(answers):
            at = _skip_name(data, at)
            kind, _, _, length = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if kind == TXT:
                return _strings(data[at : at + length])
            at += length
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise DecodeError("bad_dns_answer", str(error)) from None
    return None


class TxtResolver:
    """Asks one name server."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server

    async def __call__(self, name: str) -> str:
        """Return the TXT record of `name`; raises `DnsUnreachable` when nobody answers or there is none."""
        loop = asyncio.get_running_loop()
        for _ in range(TRIES):
            query_id = int.from_bytes(os.urandom(2), "big")
            answer: asyncio.Future[str | None] = loop.create_future()
            transport, _ = await loop.create_datagram_endpoint(
                lambda answer=answer, query_id=query_id: _Asking(answer, query_id),  # type: ignore[misc]
                remote_addr=self._server,
            )
            try:
                transport.sendto(encode_query(query_id, name))
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    text = await answer
            except (TimeoutError, OSError):
                continue
            finally:
                transport.close()
            if text is None:
                raise DnsUnreachable(f"DNS: {name} has no TXT record")
            return text
        raise DnsUnreachable(f"DNS: no answer for {name}")


class _Asking(asyncio.DatagramProtocol):
    def __init__(self, answer: "asyncio.Future[str | None]", query_id: int) -> None:
        self._answer, self._query_id = answer, query_id

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take the first datagram that is an answer; forged ones are waited past."""
        try:
            text = decode_answer(self._query_id, data)
        except DecodeError:
            return
        if not self._answer.done():
            self._answer.set_result(text)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there."""
        if not self._answer.done():
            self._answer.set_exception(exc)


def system_server(path: Path = Path("/etc/resolv.conf")) -> tuple[str, int]:
    """Return the first name server this machine is told to use."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        lines = []
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ") and len(line.split()) > 1]
    return (servers[0] if servers else "127.0.0.1"), 53


def _skip_name(data: bytes, at: int) -> int:
    while True:
        length = data[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if length == 0:
            return at


def _strings(data: bytes) -> str:
    parts = []
    at = 0
    while at < len(data):
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts).decode("ascii")
