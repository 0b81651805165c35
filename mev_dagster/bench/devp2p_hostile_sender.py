"""Strangers that stop at a stage: `python -m mev_dagster.bench.devp2p_hostile_sender ENODE STAGE COUNT`.

Each connection goes as far as its stage and then says nothing more. `knock` opens connections a hundred at a
time, as many as it is told, and keeps those that are not hung up on.
"""

import asyncio
import sys

from mev_dagster.bench.devp2p_traffic import chain
from mev_dagster.devp2p.enode import Enode, parse_enode
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.session import Handshaken, Session, State
from mev_dagster.errors import plain_refusals
from mev_dagster.settings import settings

KNOCKS_AT_ONCE = 100
ANNOUNCEMENT = 0x18
LARGEST_UNSLOTTED = 1_000_000  # a frame just under the size that needs a slot
READ_BYTES = 65_536


async def main(target: Enode, stage: str, count: int) -> None:
    """Bring every connection to its stage, say so, and stay until stopped."""
    if stage == "knock":
        kept = await _knock(target, count)
    else:
        kept = [await _stop_at(target, stage) for _ in range(count)]
    print(len(kept), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def _knock(target: Enode, count: int) -> list[asyncio.StreamWriter]:
    kept: list[asyncio.StreamWriter] = []
    for _ in range(count // KNOCKS_AT_ONCE):
        dials = [asyncio.open_connection(target.host, target.tcp_port) for _ in range(KNOCKS_AT_ONCE)]
        for opened in await asyncio.gather(*dials, return_exceptions=True):
            if not isinstance(opened, BaseException):
                kept.append(opened[1])
        await asyncio.sleep(0)
        kept = [writer for writer in kept if not writer.transport.is_closing()]
    return kept


async def _stop_at(target: Enode, stage: str) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection(target.host, target.tcp_port)
    session = Session(NodeKey.generate(), target.id, client="stranger/1", statuses=chain())
    auth = session.take_output()
    if stage == "silent":
        return writer
    if stage == "half an auth":
        writer.write(auth[: len(auth) // 2])
        return writer
    writer.write(auth)
    while not isinstance(session.next_event(), Handshaken):
        session.receive(await reader.read(READ_BYTES))
    if stage == "no hello":
        return writer
    writer.write(session.take_output())
    while session.next_event() is None and session.hello is None:
        session.receive(await reader.read(READ_BYTES))
    if stage == "no status":
        return writer
    writer.write(session.take_output())
    while session.state is not State.OPEN:
        session.receive(await reader.read(READ_BYTES))
        session.next_event()
    writer.write(session.take_output())
    session.link.send(ANNOUNCEMENT, bytes(LARGEST_UNSLOTTED))
    writer.write(session.take_output()[:-1])
    await writer.drain()
    return writer


if __name__ == "__main__":
    with plain_refusals():
        settings()
        asyncio.run(main(parse_enode(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
