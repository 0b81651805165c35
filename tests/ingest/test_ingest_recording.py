"""A capture of a live anvil: what was pending, every block, and a state that gives the same receipts."""

import asyncio
import gzip
import json
from dataclasses import replace

import pytest
from ingest_anvil import CHAIN_ID, KEYS, free_port, until
from ingest_run import GWEI, new_pipeline, running, transfer

from mev_dagster.captures import record
from mev_dagster.captures.format import open_capture
from mev_dagster.captures.full_state import newest_full_state, parse_anvil_dump, parse_geth_dump
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.signing import address_of, create_address, sign_transaction
from mev_dagster.cli import main
from mev_dagster.errors import CaptureError, InputError, NodeAnswerError, NodeUnreachable
from mev_dagster.events.types import BlockReverted, BlockSeen, TxBody, TxSeen
from mev_dagster.evm.blocks import block_env
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.types import TxStatus
from mev_dagster.ingest.lanes.capture import CaptureLane
from mev_dagster.ingest.recording import http_address, record_node
from mev_dagster.node.http import JsonRpc
from mev_dagster.telemetry.clock import VirtualClock

pytestmark = pytest.mark.anvil

# Adds one to slot 0, logs the sum, and pays no attention to its input.
COUNTER = bytes.fromhex("6001600054018060005560005260206000a000")
DEPLOY = bytes.fromhex(f"60{len(COUNTER):02x}600c60003960{len(COUNTER):02x}6000f3") + COUNTER
OWNER, OTHER = KEYS


def contract_tx(nonce: int, to: bytes | None, data: bytes = b"", key: bytes = OWNER, tip_gwei: int = 1):
    return sign_transaction(
        key,
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=to,
        data=data,
        gas_limit=200_000,
        max_fee_per_gas_wei=(tip_gwei + 3) * GWEI,
        max_priority_fee_per_gas_wei=tip_gwei * GWEI,
    )


COUNTER_ADDRESS = create_address(address_of(OWNER), 0)


@pytest.fixture
def devnet(anvil):
    """A chain with a counter on it that has been called."""
    anvil.send(contract_tx(0, None, DEPLOY).raw)
    anvil.send(contract_tx(1, COUNTER_ADDRESS).raw)
    anvil.mine()
    assert int(anvil.call("eth_getStorageAt", "0x" + COUNTER_ADDRESS.hex(), "0x0", "latest"), 16) == 1
    return anvil


async def recorded(devnet, out, play, blocks, **options):
    """Record while the acts of the play happen, each after the block before it has been recorded."""
    started, seen = [], []
    task = asyncio.create_task(
        record_node(
            devnet.url,
            out,
            blocks=blocks,
            source="devnet",
            on_start=started.append,
            on_block=seen.append,
            **options,
        )
    )
    for acts_done, act in enumerate(play):
        await until(lambda done=acts_done: task.done() or (started and len(seen) >= done), "the recorder")
        await asyncio.to_thread(act)
    return await asyncio.wait_for(task, 30)


def ordinary_play(devnet):
    def first():
        devnet.send(contract_tx(2, COUNTER_ADDRESS).raw)
        devnet.mine()

    def second():
        devnet.send(transfer(0, key=OTHER).raw)
        devnet.mine()

    return [first, second]


@pytest.mark.parametrize("whole_state", [False, True], ids=["witnessed", "whole state"])
async def test_blocks_and_sightings_are_recorded_and_execute_again(devnet, tmp_path, whole_state):
    manifest = await recorded(devnet, tmp_path / "out", ordinary_play(devnet), 2, whole_state=whole_state)
    assert (manifest.first_block, manifest.last_block, manifest.chain_id) == (2, 3, CHAIN_ID)
    assert str(manifest.arrival_times) == "observed"
    report = verify_capture(tmp_path / "out")
    assert (report.errors, report.receipts_root_matches) == ([], 2)
    with open_capture(tmp_path / "out") as capture:
        events = list(capture.events())
        assert [event.number for event in events if isinstance(event, BlockSeen)] == [1, 2, 3]
        assert {event.source for event in events if isinstance(event, TxSeen)} == {"devnet"}
        assert not any(event.synthetic for event in events if isinstance(event, TxSeen | TxBody))
        before = capture.prestate(2)
        assert before.complete is whole_state
        assert before.storage(COUNTER_ADDRESS, 0) == 1
        assert before.code(before.account(COUNTER_ADDRESS).code_hash) == COUNTER
        if whole_state:
            parent = devnet.call("eth_getBlockByNumber", "0x1", False)
            assert before.state_root().hex() == parent["stateRoot"][2:]


async def test_what_a_pending_transaction_reads_is_recorded_with_the_block_it_missed(devnet, tmp_path):
    waiting = contract_tx(0, COUNTER_ADDRESS, key=OTHER)

    def act():
        devnet.send(waiting.raw)
        devnet.call("anvil_dropTransaction", "0x" + waiting.hash.hex())
        devnet.mine()

    await recorded(devnet, tmp_path / "out", [act], 1)
    with open_capture(tmp_path / "out") as capture:
        block, state = capture.block(2), capture.prestate(2)
        assert block.transactions == ()
        env = block_env(capture.block(2).header, CHAIN_ID)
        (result,) = get_engine().simulate(state, env, [waiting]).txs
    assert result.status is TxStatus.SUCCESS
    assert int.from_bytes(result.logs[0].data, "big") == 2


async def test_a_node_without_a_tracer_gives_the_same_state_by_execution(devnet, tmp_path, monkeypatch):
    play = ordinary_play(devnet)
    call = JsonRpc.call

    def no_tracer(self, method, params=()):
        if method.startswith("debug_"):
            raise NodeAnswerError(f"{method}: the method does not exist")
        return call(self, method, params)

    monkeypatch.setattr(JsonRpc, "call", no_tracer)
    await recorded(devnet, tmp_path / "out", play, 2)
    with open_capture(tmp_path / "out") as capture:
        assert capture.prestate(2).storage(COUNTER_ADDRESS, 0) == 1


@pytest.mark.parametrize("whole_state", [False, True], ids=["witnessed", "whole state"])
async def test_a_reorg_during_recording_leaves_the_canonical_blocks(devnet, tmp_path, whole_state):
    def first():
        devnet.send(contract_tx(2, COUNTER_ADDRESS).raw)
        devnet.mine()

    def reorg():
        devnet.call("anvil_reorg", 1, [])
        devnet.send(contract_tx(0, COUNTER_ADDRESS, key=OTHER).raw)
        devnet.mine()

    await recorded(devnet, tmp_path / "out", [first, reorg], 2, whole_state=whole_state)
    with open_capture(tmp_path / "out") as capture:
        events = list(capture.events())
        (reverted,) = [event for event in events if isinstance(event, BlockReverted)]
        assert reverted.number == 2
        hashes = [capture.block(number).hash for number in capture.numbers]
        assert capture.numbers == (2, 3)
        assert reverted.block_hash not in hashes
        assert capture.block(3).header.parent_hash == hashes[0]


async def test_the_same_recording_is_played_through_the_capture_lane(devnet, tmp_path):
    await recorded(devnet, tmp_path / "out", ordinary_play(devnet), 2)
    with open_capture(tmp_path / "out") as capture:
        pipeline = new_pipeline()
        async with running(CaptureLane(capture, VirtualClock()), pipeline) as run:
            await asyncio.wait_for(run.lane_task, 10)
        assert [event.number for event in run.of(BlockSeen)] == [2, 3]


async def test_an_unreachable_node_is_named(tmp_path):
    port = free_port()
    with pytest.raises(NodeUnreachable, match=f"no answer from ws://127.0.0.1:{port}"):
        await record_node(f"ws://127.0.0.1:{port}", tmp_path / "out", blocks=1)
    assert not (tmp_path / "out").exists()


def test_a_difference_in_execution_is_named_and_refused(devnet, tmp_path):
    asyncio.run(recorded(devnet, tmp_path / "out", ordinary_play(devnet), 2))

    class Generous:
        """An engine that charges one gas too much."""

        name = "generous"

        def simulate(self, *arguments, **options):
            result = get_engine().simulate(*arguments, **options)
            txs = tuple(replace(tx, gas_used=tx.gas_used + 1) for tx in result.txs)
            return replace(result, txs=txs)

    with pytest.raises(CaptureError, match="block 2 transaction 0: gas: recorded"):
        record.prove(tmp_path / "out", Generous())


def test_a_whole_state_has_the_root_its_header_states(devnet):
    with JsonRpc(http_address(devnet.url)) as rpc:
        header, state = newest_full_state(rpc)
    assert (header.number, state.state_root()) == (1, header.state_root)
    assert set(state.block_hashes) == {0, 1}


def test_a_dump_of_another_block_is_refused(devnet, monkeypatch):
    stale = devnet.call("anvil_dumpState")
    devnet.mine()
    call = JsonRpc.call

    def answers_stale(self, method, params=()):
        return stale if method == "anvil_dumpState" else call(self, method, params)

    monkeypatch.setattr(JsonRpc, "call", answers_stale)
    with (
        JsonRpc(http_address(devnet.url)) as rpc,
        pytest.raises(NodeAnswerError, match="no whole state: the dump has root 0x"),
    ):
        newest_full_state(rpc)


def test_geths_form_of_a_dump_gives_the_same_state(devnet):
    answer = devnet.call("anvil_dumpState")
    document = json.loads(gzip.decompress(bytes.fromhex(answer[2:])))
    geth = {
        "root": "00" * 32,
        "accounts": {
            address: {
                "balance": str(int(fields["balance"], 16)),
                "nonce": fields["nonce"],
                **({"code": fields["code"]} if fields["code"] != "0x" else {}),
                "storage": {slot: value[2:].lstrip("0") or "0" for slot, value in fields["storage"].items()},
            }
            for address, fields in document["accounts"].items()
        },
    }
    assert parse_geth_dump(geth) == parse_anvil_dump(answer)


@pytest.mark.parametrize("answer", [None, 5, "0x", "0xzz", "0x" + gzip.compress(b"[]", mtime=0).hex()])
def test_a_dump_that_is_none_is_a_typed_error(answer):
    with pytest.raises(NodeAnswerError, match="anvil_dumpState: not a state"):
        parse_anvil_dump(answer)


def test_an_existing_folder_is_not_overwritten(tmp_path):
    with pytest.raises(SystemExit) as exit_:
        main(["capture", "record", str(tmp_path), "--rpc", "ws://127.0.0.1:1"])
    assert exit_.value.code == InputError.exit_status
