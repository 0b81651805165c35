"""A block of a fork nobody here knows is seen, logged and made into rows; /readyz names what stands still."""

from dataclasses import replace

from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import Block, ForeignTransaction, Header, decode_header, header_hash
from mev_dagster.events.types import BlockSeen, Lane, TxIncluded
from mev_dagster.ingest.arrivals import BlockArrived
from mev_dagster.ingest.executability import Executability
from mev_dagster.ingest.http import Heads, application
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.platform.health import StoppedStages

ZERO = bytes(32)
KNOWN = Header(
    *(ZERO, ZERO, bytes(20), ZERO, ZERO, ZERO, bytes(256), 0, 30_000_000, 60_000_000, 0, 2_000_000_000),
    *(b"", ZERO, bytes(8), 7, ZERO, 0, 0, ZERO, ZERO, ZERO, 9),
)
HEADER = replace(KNOWN, later_fields=(rlp.encode_bytes(b"\x07" * 32), rlp.encode_int(5)))
BLOCK = Block(header_hash(HEADER), HEADER, (), (), (), foreign=(ForeignTransaction(0, b"\xaa" * 32, 0x7E),))


def test_its_header_is_logged_whole_and_its_transactions_by_their_hashes():
    pipeline = Pipeline(IngestMetrics(CollectorRegistry()))
    events = pipeline.accept([BlockArrived(1, 1, Lane.RPC, "node", BLOCK)])
    (seen,) = [event for event in events if isinstance(event, BlockSeen)]
    assert decode_header(seen.header_rlp) == HEADER
    assert header_hash(decode_header(seen.header_rlp)) == seen.block_hash == BLOCK.hash
    assert seen.tx_hashes == (b"\xaa" * 32,)
    assert [event.tx_hash for event in events if isinstance(event, TxIncluded)] == [b"\xaa" * 32]


def test_readyz_names_the_stages_and_stays_ready_for_what_goes_on():
    watch = Executability("py_evm", 1, lambda found: None)
    watch.saw(replace(BLOCK, foreign=()))
    stopped = [watch.stopped.as_dict()]
    app = application(CollectorRegistry(), Heads(), dict, list, stopped=lambda: stopped)
    answer = TestClient(app).get("/readyz")
    assert answer.status_code == 200
    (told,) = answer.json()["stopped"]
    assert told["since_block"] == 30_000_000
    assert told["code"] == "unknown_fork"
    assert "simulations" in told["stages"]
    assert StoppedStages(**told).sentence().startswith("simulations, opportunities")
