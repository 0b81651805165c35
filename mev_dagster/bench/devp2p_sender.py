"""The other end of the saturation benchmark: `python -m mev_dagster.bench.devp2p_sender ENODE MESSAGES`.

Fifty sessions are opened and their frames made; after a line on stdin all of it is sent at once.
"""

import asyncio
import sys

from mev_dagster.bench.devp2p_traffic import ANNOUNCED, CONNECTIONS, announcement, chain
from mev_dagster.devp2p.enode import Enode, parse_enode
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.session import Session, State
from mev_dagster.errors import plain_refusals
from mev_dagster.settings import settings


async def main(target: Enode, messages: int) -> None:
    """Connect, prepare, wait for the word, send, and stay until stopped."""
    opened = [await _open(target) for _ in range(CONNECTIONS)]
    made = [announcement(ANNOUNCED, seed=seed) for seed in range(50)]
    prepared = []
    for session, writer in opened:
        for number in range(messages):
            session.send(made[number % len(made)])
        prepared.append((writer, session.take_output()))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for writer, data in prepared:
        writer.write(data)
    await asyncio.Event().wait()


async def _open(target: Enode) -> tuple[Session, asyncio.StreamWriter]:
    session = Session(NodeKey.generate(), target.id, client="sender/1", statuses=chain())
    reader, writer = await asyncio.open_connection(target.host, target.tcp_port)
    while session.state is not State.OPEN:
        writer.write(session.take_output())
        session.receive(await reader.read(65_536))
        while session.next_event() is not None:
            pass
    writer.write(session.take_output())
    return session, writer


if __name__ == "__main__":
    with plain_refusals():
        settings()
        asyncio.run(main(parse_enode(sys.argv[1]), int(sys.argv[2])))
