"""On a live node: the sandbox learns slots and states from anvil, and so does the builder."""

import pytest
from pbs_devnet import ADDRESSES, CHAIN_ID, ETHER, KEYS
from pbs_sandbox import ENGINE, offer, running

from mev_dagster.blockrun.building import context_for
from mev_dagster.captures.source import NodeSource
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.node.http import JsonRpc
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.context import Proposer
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.sandbox.serve import SandboxOptions, open_relay
from mev_dagster.pbs.template import build_template, submission_of

pytestmark = pytest.mark.anvil


@pytest.fixture
def node(anvil_binary):
    with AnvilNode("--no-mining", "--hardfork", "prague", binary=anvil_binary) as started:
        yield started


def pay(sender, nonce, tip_gwei):
    return sign_transaction(
        KEYS[sender],
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=b"\x01" * 20,
        value_wei=1,
        gas_limit=21_000,
        max_fee_per_gas_wei=10**12,
        max_priority_fee_per_gas_wei=tip_gwei * 10**9,
    )


async def test_a_block_built_beside_a_live_one_is_accepted(node):
    rpc = JsonRpc(node.http_url)
    for address in ADDRESSES[:3]:
        rpc.call("anvil_setBalance", ["0x" + address.hex(), hex(ETHER)])
    rpc.call("evm_mine")
    pending = [pay(sender, 0, tip_gwei=50 + sender) for sender in range(3)]
    for tx in pending:
        rpc.call("eth_sendRawTransaction", ["0x" + tx.raw.hex()])
    rpc.call("evm_mine")
    source = NodeSource(rpc)
    landed = source.block(2)
    assert len(landed.transactions) == 3

    keys = Keyring.ephemeral()
    relay = open_relay(SandboxOptions(rpc_url=node.http_url))
    async with running(relay) as url, RelayClient(RelayEndpoint(url)) as client:
        duty = await client.duty_of_block(2)
        message = duty.registration.message
        template = build_template(
            ENGINE,
            source.prestate(2),
            context_for(landed, CHAIN_ID),
            Proposer(message.pubkey, message.fee_recipient, message.gas_limit),
            keys,
            pending=pending,
        )
        report = await offer(client, submission_of(template, keys))
        [receipt] = await client.receipts(report.submission.message.block_hash)
        unknown = await client.get_json("/relay/v1/builder/validators")
    assert report.accepted, receipt
    assert template.sealed.block.header.parent_hash == landed.header.parent_hash
    assert [row["slot"] for row in unknown] == [str(duty.slot)]
    state_root = next(check for check in receipt["checks"] if check["name"] == "state_root")
    assert "not judged" in state_root["message"]
