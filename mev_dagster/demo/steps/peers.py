"""The same mempool from a devp2p peer: announced, asked for and delivered over real RLPx, beside the capture.

It has a log and a store of its own, so that the rest of the story rests on the recorded times alone.
"""

import asyncio
from functools import partial

from prometheus_client import CollectorRegistry

from mev_dagster.captures.format import Capture
from mev_dagster.demo.stage import Stage, StepOutcome, private_settings
from mev_dagster.devp2p.gateway import Gateway
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig, PeerNetwork
from mev_dagster.devp2p.node import NodeConfig
from mev_dagster.errors import PeerUnreachable
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import Lane, TxBody, TxSeen
from mev_dagster.events.verify import verify
from mev_dagster.ingest.daemon import IngestDaemon
from mev_dagster.ingest.gateway import capture_chain
from mev_dagster.ingest.lanes.capture import CaptureLane
from mev_dagster.ingest.lanes.lane import LaneContext, LaneFactory
from mev_dagster.ingest.lanes.p2p import P2PLane
from mev_dagster.ingest.lanes.p2p_chain import Mimicry
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.store.client import open_store

FOLDER = "peers"
EXCHANGE_SECONDS = 60.0
REDIAL_SECONDS = 1.0
LOOK_SECONDS = 0.05
SEEN_BY = "SELECT lane, count(DISTINCT tx_hash) FROM tx_sightings GROUP BY lane ORDER BY lane"


def fetch_from_peer(stage: Stage) -> StepOutcome:
    """Serve the capture's pending transactions as a peer, and listen with both lanes."""
    settings = private_settings(stage.settings.home / FOLDER, stage.capture.chain_id)
    events = list(stage.capture.events())
    seen = {event.tx_hash for event in events if isinstance(event, TxSeen)}
    pending = [event.raw for event in events if isinstance(event, TxBody) and event.tx_hash in seen]
    exchange = _Exchange(stage.capture, pending)
    lanes: list[LaneFactory] = [exchange.peer_lane, exchange.capture_lane]
    asyncio.run(exchange.run(IngestDaemon(settings, lanes, partial(open_store, settings))))

    log = verify(settings.events_dir)
    bodies = [event for event in EventLogReader(settings.events_dir).read() if isinstance(event, TxBody)]
    fetched = {event.tx_hash for event in bodies if event.lane is Lane.P2P}
    with open_store(settings) as store:
        seen_by = {str(lane): int(count) for lane, count in store.rows(SEEN_BY)}
        stored = store.count("transactions")
    return StepOutcome(
        log.ok
        and fetched == seen
        and stored == len(bodies)
        and seen_by == dict.fromkeys(("capture", "p2p"), len(seen)),
        {
            "client": exchange.client,
            "eth_version": exchange.eth_version,
            "announced": len(pending),
            "fetched": len(fetched),
            "seen_by_lane": seen_by,
            "bodies": len(bodies),
            "bodies_stored": stored,
            "log_ok": log.ok,
        },
    )


class _Exchange:
    """A peer with a pool, a lane that dials it, and a capture lane that waits until all was fetched.

    In life the lanes race; here one waits for the other, so that every run tells the same story.
    """

    def __init__(self, capture: Capture, pending: list[bytes]) -> None:
        self.client, self.eth_version = "", 0
        self._capture, self._pending = capture, pending
        self._metrics = P2PMetrics(CollectorRegistry())
        self._gateway = Gateway()
        self._network = PeerNetwork(
            NodeKey.generate(), self._gateway, capture_chain(capture), NetworkConfig(listen_port=0)
        )
        self._fetched, self._played = asyncio.Event(), asyncio.Event()

    def peer_lane(self, context: LaneContext) -> P2PLane:
        """Return the lane that dials the peer."""
        chain = Mimicry(context.clock, self._capture.chain_id)
        config = NodeConfig(static=(self._network.enode,), redial_seconds=REDIAL_SECONDS)
        return P2PLane(config, chain, context.clock, self._metrics, knows=context.knows)

    def capture_lane(self, context: LaneContext) -> CaptureLane:
        """Return the lane that plays the capture when its turn has come."""
        return _HeldCapture(self._capture, context, after=self._fetched, ended=self._played)

    async def run(self, daemon: IngestDaemon) -> None:
        """Run the daemon until the peer's pool is fetched and the capture is played."""
        self._gateway.add(self._pending)
        await self._network.start()
        running = asyncio.create_task(daemon.run())
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                while self._bodies < len(self._pending) and not running.done():
                    await asyncio.sleep(LOOK_SECONDS)
                for peer in self._network.peers.values():
                    self.client, self.eth_version = peer.ready.hello.client, peer.version
                self._fetched.set()
                while not self._played.is_set() and not running.done():
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise PeerUnreachable(
                f"{self._bodies} of {len(self._pending)} transactions came in {EXCHANGE_SECONDS:g} s"
            ) from None
        finally:
            daemon.stop()
            await running
            await self._network.close()

    @property
    def _bodies(self) -> int:
        """How many bodies the lane was given; they are in its queue, ahead of what the capture adds."""
        (family,) = self._metrics.transactions.collect()
        return int(sum(sample.value for sample in family.samples if sample.name.endswith("_total")))


class _HeldCapture(CaptureLane):
    """A capture that begins when it is told to and says when it is over."""

    def __init__(
        self, capture: Capture, context: LaneContext, *, after: asyncio.Event, ended: asyncio.Event
    ) -> None:
        super().__init__(capture, context.clock, chain=context.chain)
        self._after, self._ended = after, ended

    async def run(self, queue: ArrivalQueue) -> None:
        """Wait, then deliver the whole capture."""
        await self._after.wait()
        await super().run(queue)
        self._ended.set()
