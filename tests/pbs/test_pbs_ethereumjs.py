"""An independent execution client judges our blocks: EthereumJS over the Engine API.

What we seal it calls VALID, roots and requests included; what our validator refuses it refuses.
"""

import json
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pbs_devnet import ADDRESSES, BASE_FEE, CHAIN_ID, GWEI, TIP_JAR, Candidate, call, state, transfer
from pbs_sandbox import BUILDER, ENGINE, changed, offer, running

from mev_dagster.captures.importers import read_block_file, read_codes
from mev_dagster.chain.blocks import Block, Header, Withdrawal, header_hash, withdrawals_root
from mev_dagster.chain.forks import Fork, devnet_schedule
from mev_dagster.chain.keccak import EMPTY_TRIE_ROOT
from mev_dagster.errors import NodeAnswerError, NodeUnreachable
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.node.http import JsonRpc
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.context import context_after
from mev_dagster.pbs.keys import BlsKey
from mev_dagster.pbs.payload import EMPTY_UNCLES_HASH, header_of, requests_hash
from mev_dagster.pbs.sandbox.engine_api import AgreeingValidators, EngineApi, EngineApiValidator
from mev_dagster.pbs.sandbox.proposer import Mailbox, SandboxProposer
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.sandbox.slots import SandboxValidators, SlotBook
from mev_dagster.pbs.sandbox.validator import ExecutionValidator
from mev_dagster.pbs.seal import state_root_after
from mev_dagster.pbs.template import build_template, submission_of
from mev_dagster.pbs.types import ExecutionRequests

ROOT = Path(__file__).resolve().parents[2]
WITHDRAWAL_REQUESTS = bytes.fromhex("00000961ef480eb55e80d19ad83579a64c007002")
SYSTEM_CONTRACTS = (
    bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02"),
    bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935"),
    WITHDRAWAL_REQUESTS,
    bytes.fromhex("0000bbddc7ce488642fb579f8b00f3a590007251"),
)
GENESIS_TIME = 1_800_000_000
GAS_LIMIT = 30_000_000
BEACON_ROOT = b"\x44" * 32


@pytest.fixture(scope="module")
def genesis_state(fixtures):
    """The test state with the real system contracts, whose code is on mainnet."""
    folder = fixtures / "blocks_prestate"
    mainnet = read_block_file(folder / "22615247.json.zst", read_codes(folder / "codes.json.zst")).prestate
    overrides = {}
    for address in SYSTEM_CONTRACTS:
        code = mainnet.code(mainnet.account(address).code_hash)
        overrides[address] = AccountOverride(nonce=1, code=code)
    return state().with_overrides(overrides)


FORKS = pytest.mark.parametrize("fork", [Fork.CANCUN, Fork.PRAGUE], ids=lambda fork: fork.name.lower())


@pytest.fixture(scope="module", params=[Fork.CANCUN, Fork.PRAGUE], ids=lambda fork: fork.name.lower())
def chain(request, genesis_state, tmp_path_factory):
    """A client whose head nobody moves: the tests come in any order."""
    with client_at_genesis(request.param, genesis_state, tmp_path_factory.mktemp("ethereumjs")) as opened:
        yield opened


@contextmanager
def client_at_genesis(fork, genesis_state, folder):
    """Start a fresh client; yield the fork, the genesis block and the client's two doors."""
    binary = ROOT / "node_modules" / ".bin" / "ethereumjs"
    if not binary.exists() or shutil.which("node") is None:
        pytest.skip("the EthereumJS client is absent: run `make setup` with Node.js installed")
    (folder / "genesis.json").write_text(json.dumps(genesis_file(genesis_state, fork)))
    engine_port, rpc_port = free_ports(2)
    arguments = [
        *("--gethGenesis", "genesis.json", "--dataDir", "data", "--sync", "none", "--port", "0"),
        *("--rpc", "--rpcPort", str(rpc_port), "--rpcAddr", "127.0.0.1"),
        *("--rpcEngine", "--rpcEnginePort", str(engine_port), "--rpcEngineAddr", "127.0.0.1"),
        *("--rpcEngineAuth", "false", "--discV4", "false", "--discDns", "false", "--logFile", "false"),
    ]
    with (folder / "client.log").open("wb") as log:
        process = subprocess.Popen([str(binary), *arguments], cwd=folder, stdout=log, stderr=log)
    try:
        rpc = JsonRpc(f"http://127.0.0.1:{rpc_port}", timeout_seconds=30)
        genesis = genesis_block(genesis_state, fork)
        assert wait_for_block(rpc, process, folder / "client.log") == "0x" + genesis.hash.hex()
        engine = EngineApi(JsonRpc(f"http://127.0.0.1:{engine_port}", timeout_seconds=30))
        yield fork, genesis, rpc, engine
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for made in sockets:
        made.bind(("127.0.0.1", 0))
    ports = [made.getsockname()[1] for made in sockets]
    for made in sockets:
        made.close()
    return ports


def wait_for_block(rpc, process, log):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(log.read_text()[-2000:])
        try:
            return rpc.call("eth_getBlockByNumber", ["0x0", False])["hash"]
        except (NodeUnreachable, NodeAnswerError):
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-2000:])


def genesis_file(parent_state, fork):
    forks = ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg"]
    forks += ["istanbul", "berlin", "london", "mergeNetsplit"]
    config = {"chainId": CHAIN_ID, "terminalTotalDifficulty": 0, "terminalTotalDifficultyPassed": True}
    config |= {f"{name}Block": 0 for name in forks} | {"shanghaiTime": 0, "cancunTime": 0}
    blobs = {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477}}
    if fork >= Fork.PRAGUE:
        config["pragueTime"] = 0
        config["depositContractAddress"] = "0x00000000219ab540356cbb839cbe05303d7705fa"
        blobs["prague"] = {"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716}
    return {
        "config": config | {"blobSchedule": blobs},
        "nonce": "0x0",
        "timestamp": hex(GENESIS_TIME),
        "extraData": "0x",
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x0",
        "mixHash": "0x" + "00" * 32,
        "coinbase": "0x" + "00" * 20,
        "baseFeePerGas": hex(BASE_FEE),
        "excessBlobGas": "0x0",
        "blobGasUsed": "0x0",
        "parentBeaconBlockRoot": "0x" + "00" * 32,
        "alloc": {
            "0x" + address.hex(): {
                "balance": hex(account.balance_wei),
                "nonce": hex(account.nonce),
                "code": "0x" + parent_state.code(account.code_hash).hex(),
                "storage": {
                    f"{slot:#066x}": f"{value:#066x}" for slot, value in account.storage.items() if value
                },
            }
            for address, account in parent_state.accounts.items()
        },
    }


def genesis_block(parent_state, fork):
    header = Header(
        parent_hash=bytes(32),
        uncles_hash=EMPTY_UNCLES_HASH,
        coinbase=bytes(20),
        state_root=state_root_after(parent_state, {}),
        transactions_root=EMPTY_TRIE_ROOT,
        receipts_root=EMPTY_TRIE_ROOT,
        logs_bloom=bytes(256),
        difficulty=0,
        number=0,
        gas_limit=GAS_LIMIT,
        gas_used=0,
        timestamp=GENESIS_TIME,
        extra_data=b"",
        mix_hash=bytes(32),
        nonce=bytes(8),
        base_fee_per_gas_wei=BASE_FEE,
        withdrawals_root=withdrawals_root(()),
        blob_gas_used=0,
        excess_blob_gas=0,
        parent_beacon_block_root=bytes(32),
        requests_hash=requests_hash(ExecutionRequests()) if fork >= Fork.PRAGUE else None,
    )
    return Block(header_hash(header), header, (), (), ())


def slot_after(genesis, fork, parent_state):
    context = context_after(
        genesis,
        devnet_schedule(fork),
        GENESIS_TIME + 12,
        timestamp=GENESIS_TIME + 12,
        prev_randao=b"\x55" * 32,
        registered_gas_limit=36_000_000,
        withdrawals=(Withdrawal(0, 1, b"\x77" * 20, 32 * 10**9),),
        parent_beacon_block_root=BEACON_ROOT,
    )
    return SandboxValidators("ethereumjs").slot_for(context, parent_state, bytes(20))


def submission_for(slot, parent_state):
    """Candidates, transfers, and in Prague a call that makes a withdrawal request."""
    candidate = Candidate((call(0, TIP_JAR), call(1, TIP_JAR)), 5)
    pending = [transfer(number, tip_gwei=60 + number) for number in range(2, 6)]
    exit_request = b"\xaa" * 48 + (0).to_bytes(8, "big")
    pending.append(
        transfer(6, tip_gwei=9, to=WITHDRAWAL_REQUESTS, value_wei=10, data=exit_request, gas_limit=300_000)
    )
    template = build_template(
        ENGINE, parent_state, slot.context, slot.proposer, BUILDER, candidates=[candidate], pending=pending
    )
    return submission_of(template, BUILDER)


CHANGES = {
    "state root": {"state_root": b"\x99" * 32},
    "receipts root": {"receipts_root": b"\x99" * 32},
    "bloom": {"logs_bloom": b"\x99" * 256},
    "gas used": {"gas_used": 21_000},
    "base fee": {"base_fee_per_gas": 5 * GWEI},
    "gas limit": {"gas_limit": 40_000_000},
    "timestamp": {"timestamp": GENESIS_TIME},
    "excess blob gas": {"excess_blob_gas": 131_072},
    "coinbase": {"fee_recipient": b"\x99" * 20},
    "transaction dropped": {"transactions": ()},
    "withdrawal dropped": {"withdrawals": ()},
}


@pytest.mark.parametrize("change", CHANGES)
def test_both_validators_refuse_the_same_changed_block(chain, genesis_state, change):
    fork, genesis, _, engine = chain
    slot = slot_after(genesis, fork, genesis_state)
    submission = submission_for(slot, genesis_state)
    payload = replace(submission.execution_payload, **CHANGES[change])
    header = header_of(
        submission.fork,
        payload,
        parent_beacon_block_root=BEACON_ROOT,
        requests=submission.execution_requests,
    )
    payload = replace(payload, block_hash=header_hash(header))
    message = {
        "block_hash": payload.block_hash,
        "gas_used": payload.gas_used,
        "gas_limit": payload.gas_limit,
    }
    wrong = changed(replace(submission, execution_payload=payload), message=message)
    ours = [check.code for check in ExecutionValidator(ENGINE).validate(wrong, slot) if not check.ok]
    theirs = [check for check in EngineApiValidator(engine).validate(wrong, slot) if not check.ok]
    assert ours
    assert [check.code for check in theirs] == ["invalid_block"], theirs


def test_an_unknown_parent_is_no_validity(chain, genesis_state):
    fork, genesis, _, engine = chain
    slot = slot_after(genesis, fork, genesis_state)
    stranger = replace(slot, context=replace(slot.context, parent_hash=b"\x99" * 32))
    submission = submission_for(stranger, genesis_state)
    [verdict] = EngineApiValidator(engine).validate(submission, stranger)
    assert verdict.code == "unknown_ancestor"


@FORKS
async def test_the_client_calls_our_block_valid_and_the_proposer_s_payload_becomes_its_head(
    fork, genesis_state, tmp_path
):
    with client_at_genesis(fork, genesis_state, tmp_path) as (_, genesis, rpc, engine):
        await our_block_becomes_the_head(fork, genesis, rpc, engine, genesis_state)


async def our_block_becomes_the_head(fork, genesis, rpc, engine, genesis_state):
    slot = slot_after(genesis, fork, genesis_state)
    submission = submission_for(slot, genesis_state)
    both = AgreeingValidators(ExecutionValidator(ENGINE), EngineApiValidator(engine))
    assert [check for check in both.validate(submission, slot) if not check.ok] == []
    if fork >= Fork.PRAGUE:
        [request] = submission.execution_requests.withdrawals
        assert (request.source_address, request.validator_pubkey) == (ADDRESSES[6], b"\xaa" * 48)
    payload = await payload_through_a_relay(submission, slot)
    unblinded = replace(submission, execution_payload=payload)
    assert engine.new_payload(unblinded, slot.context.parent_beacon_block_root)["status"] == "VALID"
    assert engine.set_head(payload.block_hash)["payloadStatus"]["status"] == "VALID"
    recipient = "0x" + slot.proposer.fee_recipient.hex()
    assert int(rpc.call("eth_getBalance", [recipient, "latest"]), 16) == submission.message.value
    assert rpc.call("eth_blockNumber") == "0x1"


async def payload_through_a_relay(submission, slot):
    """Submit, and let the slot's proposer take the header, sign it blind and unblind it."""
    relay = SandboxRelay(
        slots=SlotBook(),
        validator=ExecutionValidator(ENGINE),
        key=BlsKey(7, test_only=True),
        validators=SandboxValidators("ethereumjs"),
    )
    relay.slots.add(slot)
    index, key = relay.validators.of_slot(slot.number)
    async with running(relay) as url, RelayClient(RelayEndpoint(url, connect_timeout_s=5.0)) as client:
        assert (await offer(client, submission)).accepted
        proposer = SandboxProposer(key, index, [Mailbox(client, relay.key.pubkey)])
        proposed = await proposer.propose(submission.fork, slot.number, slot.context.parent_hash)
    return proposed.payload
