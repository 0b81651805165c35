"""A lane that delivers one transaction and is exhausted."""

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.events.types import Lane, TxBody, TxSeen
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.lanes.lane import LaneMaker

TX = sign_transaction(
    keccak(b"toy"),
    chain_id=1,
    nonce=0,
    to=bytes(20),
    gas_limit=21_000,
    max_fee_per_gas_wei=1,
    max_priority_fee_per_gas_wei=1,
)


class ToyLane:
    kind = Lane.PRIVATE
    source = "toy"
    connected = False

    def __init__(self, clock):
        self._clock = clock

    async def run(self, queue):
        self.connected = True
        stamps = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), self.kind, self.source)
        await queue.put(TxSeen(*stamps, TX.hash))
        await queue.put(TxBody(*stamps, TX.hash, TX.raw))
        self.connected = False


class ToyLanes(LaneMaker):
    def prepare(self, order):
        return lambda context: ToyLane(context.clock)
