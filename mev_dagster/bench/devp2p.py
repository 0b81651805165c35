"""`mev bench devp2p`: what a mempool peer costs, in CPU time of one core.

Frames are made beforehand by real sessions; what is timed begins at encrypted bytes. The peer does the same
with the `rlp` package in place of our slicing decoders. Saturation runs over real loopback sockets against a
sender in a process of its own, so that only the receiving side is measured.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import rlp as rlp_package
from prometheus_client import CollectorRegistry
from sha3 import keccak_256

from mev_dagster.bench.devp2p_hostile import hostile_memory
from mev_dagster.bench.devp2p_traffic import (
    ANNOUNCED,
    CONNECTIONS,
    Silence,
    announcement,
    bodies,
    chain,
    frames,
    link_secrets,
)
from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.devp2p import snappy
from mev_dagster.devp2p.admission import InboundLimits
from mev_dagster.devp2p.eth.codec import decode_message, encode_message
from mev_dagster.devp2p.eth.messages import PooledTransactions
from mev_dagster.devp2p.fetcher import Fetcher
from mev_dagster.devp2p.frames import HEAD_BYTES, RlpxFrameReader
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig, PeerNetwork
from mev_dagster.devp2p.session import Session, State
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.units import MIB

AT_LEAST_ANNOUNCEMENTS = 25_000
AT_LEAST_BODIES = 150_000
AT_MOST_HANDSHAKE_MS = 2.0
AT_MOST_LAG_MS = 100.0
AT_MOST_CORE_PERCENT = 10.0
MAINNET_PER_SECOND = 25
ETH = 70
LIMIT = 10 * MIB

Decoder = Callable[[int, bytes], object]


def run(options: Options) -> Iterator[Result]:
    """Yield the figures, cheapest first."""
    scale = 10 if options.quick else 1
    options.step("handshake")
    yield _handshake(400 // scale)
    options.step("decoding")
    yield from _decoding(options, scale)
    options.step("mainnet's rate")
    yield _mainnet(20 // min(scale, 4))
    options.step("saturation")
    yield from asyncio.run(_saturation(40_000 // scale))
    options.step("hostile connections")
    yield from asyncio.run(hostile_memory(options))


def _held(name: str, value: float, unit: str, budget: str, ok: bool, note: str = "") -> Result:
    return Result(name, value, unit, budget=budget, ok=ok, note=note)


def _handshake(count: int) -> Result:
    alice, bob = NodeKey(b"\x01" * 32), NodeKey(b"\x02" * 32)
    statuses = chain()
    start = time.process_time()
    for _ in range(count):
        caller = Session(alice, bob.id, client="a", statuses=statuses)
        called = Session(bob, None, client="b", statuses=statuses)
        while not caller.state is called.state is State.OPEN:
            for source, target in ((caller, called), (called, caller)):
                target.receive(source.take_output())
                while target.next_event() is not None:
                    pass
    value = (time.process_time() - start) / count * 1e3
    budget = f"<= {AT_MOST_HANDSHAKE_MS:g} ms"
    note = "both sides, from auth to Status"
    return _held("handshake", value, "ms", budget, value <= AT_MOST_HANDSHAKE_MS, note)


def _decoding(options: Options, scale: int) -> Iterator[Result]:
    answer = PooledTransactions(1, tuple(bodies(256, seed=1)))
    for name, message, items, floor in (
        ("pooled transactions", answer, 256, AT_LEAST_BODIES),
        ("announced hashes", announcement(256, seed=2), 256, None),
    ):
        message_id, payload = encode_message(message, ETH)
        stream = frames(message_id, payload, 100 // scale)
        seconds = interleave(
            {
                "ours": partial(_read, decode=partial(_decode, message_id)),
                "rlp": partial(_read, decode=partial(_decode_with_package, message_id)),
            },
            [stream],
            rounds=3 if options.quick else 7,
            step=options.step,
        )
        count = 100 // scale * items
        micros = {contender: total / count * 1e6 for contender, total in seconds.items()}
        result = judge(name, micros["ours"], "us/item", peer="rlp package", peer_value=micros["rlp"])
        rate = count / seconds["ours"]
        if floor is None:
            yield judge(
                name,
                micros["ours"],
                "us/item",
                peer="rlp package",
                peer_value=micros["rlp"],
                note=f"{rate:,.0f} hashes/s from encrypted frames",
            )
            continue
        yield Result(
            name,
            rate,
            "tx/s",
            peer="rlp package",
            peer_value=count / seconds["rlp"],
            ratio_to_peer=result.ratio_to_peer,
            budget=f">= {floor:,} tx/s",
            ok=rate >= floor,
            note="from encrypted frames, every hash computed",
        )


def _read(stream: bytes, decode: Callable[[bytes], object]) -> None:
    """Take a stream of frames apart and decode each payload."""
    reader = RlpxFrameReader(link_secrets()[0])
    at = 0
    while at < len(stream):
        length = reader.open_head(stream[at : at + HEAD_BYTES], LIMIT)
        at += HEAD_BYTES
        decode(snappy.decompress(reader.open_body(stream[at : at + length])[1:], LIMIT))
        at += length


def _decode(message_id: int, payload: bytes) -> object:
    return decode_message(message_id, payload, ETH)


def _decode_with_package(message_id: int, payload: bytes) -> object:
    fields = rlp_package.decode(payload)
    if message_id != 0x0A:
        return fields
    raws = [item if isinstance(item, bytes) else rlp_package.encode(item) for item in fields[1]]
    return [(keccak_256(raw).digest(), raw) for raw in raws]


def _mainnet(seconds: int) -> Result:
    """Fifty peers announce each of 25 transactions a second one by one; each body is fetched once."""
    transactions = bodies(MAINNET_PER_SECOND * seconds, seed=3)
    one_by_one = [announcement(1, transactions=[tx]) for tx in transactions]
    streams = []
    for message in one_by_one:
        message_id, payload = encode_message(message, ETH)
        streams.append(frames(message_id, payload, 1))
    answers = [frames(*encode_message(PooledTransactions(1, (tx,)), ETH), 1) for tx in transactions]
    fetcher = Fetcher()
    names = [f"peer{number}" for number in range(CONNECTIONS)]
    for name in names:
        fetcher.join(name)
    start = time.process_time()
    for index, (stream, answer) in enumerate(zip(streams, answers, strict=True)):
        now = index * 40_000_000
        for name in names:
            _read(stream, partial(_announce, fetcher, name, now))
        for request in fetcher.due(now + 20_000_000):
            _read(answer, partial(_deliver, fetcher, request.peer, request.request_id, now + 30_000_000))
    share = (time.process_time() - start) / seconds * 100
    budget = f"< {AT_MOST_CORE_PERCENT:g} %"
    note = f"{CONNECTIONS} peers, {MAINNET_PER_SECOND} tx/s, each announced by every peer"
    return _held("mainnet's rate", share, "% of a core", budget, share < AT_MOST_CORE_PERCENT, note)


def _announce(fetcher: Fetcher, name: str, now: int, payload: bytes) -> None:
    message = decode_message(0x08, payload, ETH)
    fetcher.announced(name, message.hashes, message.types, message.sizes, now)  # type: ignore[union-attr]


def _deliver(fetcher: Fetcher, name: str, request_id: int, now: int, payload: bytes) -> None:
    message = decode_message(0x0A, payload, ETH)
    fetcher.answered(name, request_id, message.transactions, now)  # type: ignore[union-attr]


async def _saturation(messages: int) -> list[Result]:
    """Fifty connections send as fast as they are read; CPU of this process only."""
    silence = Silence()
    listener = Listener(silence, SystemClock(), P2PMetrics(CollectorRegistry()), is_known=lambda _: True)
    limits = InboundLimits(peers=CONNECTIONS, pending=CONNECTIONS)
    network = PeerNetwork(NodeKey.generate(), listener, chain(), NetworkConfig(listen_port=0, inbound=limits))
    await network.start()
    each = messages // CONNECTIONS
    command = [sys.executable, "-m", "mev_dagster.bench.devp2p_sender", str(network.enode), str(each)]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert sender.stdin is not None
    assert sender.stdout is not None
    try:
        await asyncio.to_thread(sender.stdout.readline)  # every frame is made and every peer is past Status
        lags: list[float] = []
        probe = asyncio.create_task(_probe(lags))
        start = time.process_time()
        sender.stdin.write(b"\n")
        sender.stdin.close()
        while silence.messages < each * CONNECTIONS:
            await asyncio.sleep(0.01)
            if sender.poll() not in (None, 0):
                raise RuntimeError("the sender ended early")
        seconds = time.process_time() - start
        probe.cancel()
    finally:
        sender.kill()
        sender.wait()
        await network.close()
    rate = silence.messages / seconds
    lag = sorted(lags)[int(len(lags) * 0.99)] * 1e3 if lags else 0.0
    return [
        _held(
            "saturated announcements",
            rate,
            "messages/s",
            f">= {AT_LEAST_ANNOUNCEMENTS:,}",
            rate >= AT_LEAST_ANNOUNCEMENTS,
            f"{ANNOUNCED} hashes each, {CONNECTIONS} loopback connections, per CPU second",
        ),
        _held(
            "loop lag while saturated",
            lag,
            "ms (p99)",
            f"< {AT_MOST_LAG_MS:g} ms",
            lag < AT_MOST_LAG_MS,
            "wall time: other load on the machine counts against it",
        ),
    ]


async def _probe(lags: list[float]) -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.005)
        lags.append(time.monotonic() - before - 0.005)
