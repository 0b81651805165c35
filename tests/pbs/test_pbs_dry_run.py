"""From a search result to the relay's receipt: on the shipped capture, on mainnet, as real processes."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from pbs_sandbox import ENGINE, running

import mev_dagster
from mev_dagster.blockrun.decide import decide
from mev_dagster.blockrun.dry_run import dry_run
from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import import_blocks_prestate
from mev_dagster.evm.recheck import Recheck
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.payout import Payment
from mev_dagster.pbs.sandbox.serve import SandboxOptions, open_relay
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.telemetry.tracing import Tracing

SHIPPED = Path(mev_dagster.__file__).parent / "demo" / "capture"


@pytest.fixture(scope="module")
def devnet_block():
    with open_capture(SHIPPED) as capture:
        number = capture.numbers[6]
        [inputs] = capture_inputs(capture, number)
        block = capture.block(number)
    return inputs, decide(inputs, ENGINE, Recheck(0.0)), block


async def run(found, options, *, keys=None):
    inputs, decision, block = found
    tracing = Tracing("builder", seed=b"test")
    relay = open_relay(options)
    async with running(relay) as url, RelayClient(RelayEndpoint(url), tracing=tracing) as client:
        return await dry_run(
            inputs,
            decision,
            block,
            clients=[client],
            engine=ENGINE,
            keys=keys or Keyring.test_only("dry run"),
            tracing=tracing,
            deadline_ms=30_000,
            superseded=lambda: False,
        )


async def test_a_devnet_block_is_built_accepted_and_proven_to_the_state_root(devnet_block):
    found = await run(devnet_block, SandboxOptions(capture=SHIPPED, seed="tests", strict_payment=True))
    assert found.handed_over[0].report.accepted
    template = found.template
    assert template.sealed.state_root_known
    assert template.payment is Payment.TRANSACTION
    verified = [candidate for candidate in devnet_block[1].result.candidates if candidate.verified]
    assert len(template.opportunity_ids) >= 2, "several candidates of one searcher stand in one block"
    assert set(template.opportunity_ids) <= {candidate.opportunity_id for candidate in verified}
    [receipt] = found.handed_over[0].receipts
    checks = {check["name"]: check for check in receipt["checks"]}
    assert checks["state_root"]["message"] == "0x" + template.sealed.block.header.state_root.hex()
    assert (
        receipt["trace_id"] == found.trace_id.hex() == found.handed_over[0].report.attempts[0].trace_id.hex()
    )


async def test_replaying_a_block_gives_the_same_bytes(devnet_block):
    options = SandboxOptions(capture=SHIPPED, seed="tests")
    first, second = await run(devnet_block, options), await run(devnet_block, options)
    assert first.handed_over[0].report.submission == second.handed_over[0].report.submission
    assert first.trace_id == second.trace_id


async def test_a_relay_without_the_capture_is_handed_the_slot(devnet_block):
    found = await run(devnet_block, SandboxOptions(seed="tests"))
    assert found.handed_over[0].report.accepted


@pytest.mark.parametrize("number", [17666333, 22615247])
async def test_a_mainnet_block_pays_the_real_recipient_as_coinbase_and_signs_no_payment(
    fixtures, tmp_path, number
):
    folder = fixtures / "blocks_prestate"
    import_blocks_prestate([folder / f"{number}.json.zst"], tmp_path / "capture")
    with open_capture(tmp_path / "capture") as capture:
        [inputs] = capture_inputs(capture, number)
        block = capture.block(number)
    decision = decide(inputs, ENGINE, Recheck(0.0), budget=8)
    found = await run((inputs, decision, block), SandboxOptions(seed="tests"))
    assert found.handed_over[0].report.accepted
    assert found.template.payment is Payment.COINBASE
    assert found.template.payout is None
    assert found.template.opportunity_ids == (), "an injected searcher's candidates are not built"
    assert found.template.sealed.block.header.coinbase == block.header.coinbase
    assert not found.template.sealed.state_root_known
    assert found.handed_over[0].report.submission.message.value == found.template.block_value_wei


# As processes


@contextmanager
def relay_process(home, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "mev_dagster", "relay", "sandbox", "--port", "0", "--json", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"MEV_HOME": str(home)},
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def mev(home, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "mev_dagster", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"MEV_HOME": str(home)},
    )


def test_the_commands_submit_to_a_relay_process_and_leave_one_trace(tmp_path, devnet_block):
    number = str(devnet_block[2].header.number)
    with relay_process(tmp_path, "--capture", str(SHIPPED)) as (process, announced):
        target = ("--url", announced["url"], "--json")
        ran = mev(tmp_path, "relay", "submit", "--capture", str(SHIPPED), "--block", number, *target)
        taken = mev(tmp_path, "relay", "sandbox", "--port", announced["url"].rpartition(":")[2])
    assert process.returncode == 0
    assert ran.returncode == 0, ran.stderr
    outcome = json.loads(ran.stdout)
    assert outcome["accepted"] is True
    assert all(set(check) == {"name", "ok", "code", "message"} for check in outcome["checks"])
    spans = [json.loads(line) for line in (tmp_path / "traces" / "relay.jsonl").read_text().splitlines()]
    assert [span["trace_id"] for span in spans] == [outcome["trace_id"]]
    assert taken.returncode == 2
    assert re.search(r"port_in_use: relay: 127\.0\.0\.1:\d+", taken.stderr)


def test_a_block_goes_to_every_relay_of_the_settings_in_the_form_it_likes(tmp_path, devnet_block):
    number = str(devnet_block[2].header.number)
    with relay_process(tmp_path, "--capture", str(SHIPPED)) as (_, announced):
        (tmp_path / "mev.toml").write_text(
            f"""
            [[relays]]
            url = "{announced["url"]}"
            name = "there"
            encoding = "json"
            gzip = true
            [[relays]]
            url = "http://127.0.0.1:9"
            name = "absent"
            """
        )
        profile = ("--profile", str(tmp_path / "mev.toml"))
        told = ("relay", "submit", "--capture", str(SHIPPED), "--block", number, "--json")
        ran = mev(tmp_path, *profile, *told)
    outcome = json.loads(ran.stdout)
    assert [(one["relay"], one["ended"]) for one in outcome["relays"]] == [
        ("there", "accepted"),
        ("absent", "transient"),
    ]
    assert (ran.returncode, outcome["accepted"], outcome["ended"]) == (1, False, "accepted")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "unreachable: http://127.0.0.1:9"),
        ("https://boost-relay.flashbots.net", "relay_refused: boost-relay.flashbots.net is a public relay"),
        ("http://192.0.2.7:18550", "relay_refused: 192.0.2.7 is not this machine's loopback"),
    ],
)
def test_a_relay_that_is_absent_or_public_is_named(tmp_path, devnet_block, url, said):
    number = str(devnet_block[2].header.number)
    ran = mev(tmp_path, "relay", "submit", "--capture", str(SHIPPED), "--block", number, "--url", url)
    assert ran.returncode == 1
    assert said in ran.stderr
