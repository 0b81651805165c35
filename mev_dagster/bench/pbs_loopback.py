"""A sealed block on its way to a relay on loopback and back, one at a time, on one connection."""

import asyncio
import time

from mev_dagster.chain.forks import DEVNET_CHAIN_ID, Fork, devnet_schedule
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account
from mev_dagster.pbs import checks, wire
from mev_dagster.pbs.bidding import FixedMargin
from mev_dagster.pbs.client.relay import SUBMIT_PATH
from mev_dagster.pbs.client.transport import RelayEndpoint, RelayTransport
from mev_dagster.pbs.context import BlockContext
from mev_dagster.pbs.keys import BlsKey, Keyring
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.sandbox.serve import bind, server_for, url_of
from mev_dagster.pbs.sandbox.slots import SandboxValidators, Slot, SlotBook
from mev_dagster.pbs.sandbox.validator import ExecutionValidator
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION
from mev_dagster.pbs.template import build_templates, signed, unsigned_submission
from mev_dagster.pbs.types import SubmitBlockRequest
from mev_dagster.units import ETHER, GWEI

TRANSACTIONS = 200
BEGINS = 1_800_000_000
KEYS = Keyring.test_only("bench")


async def round_trips(rounds: int) -> tuple[list[float], list[float]]:
    """Return the CPU milliseconds from a sealed block to its acceptance, and of what nobody can leave out."""
    relay, blocks = _relay_and_blocks(2 * rounds + 2)
    slot = relay.slots.of_block(1)
    assert slot is not None, "it has just been added"
    bound = bind("127.0.0.1", 0)
    server = server_for(relay)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        async with RelayTransport(RelayEndpoint(url_of(bound))) as transport:
            trips, needed = [], []
            for over_http, alone in zip(blocks[::2], blocks[1::2], strict=True):
                started = time.process_time()
                submission, body = _signed(over_http)
                headers = {"Content-Type": wire.SSZ_TYPE, "Eth-Consensus-Version": submission.fork.version}
                answer = await transport.request("POST", SUBMIT_PATH, data=body, headers=headers)
                trips.append(1e3 * (time.process_time() - started))
                if answer.status != 200:
                    raise InputError(f"the relay answered {answer.status}: {answer.body[:200]!r}")
                started = time.process_time()
                _judged_alone(relay, slot, alone)
                needed.append(1e3 * (time.process_time() - started))
            return trips[1:], needed[1:]  # the first one fills caches
    finally:
        server.should_exit = True
        await serving


def _signed(unsigned: SubmitBlockRequest) -> tuple[SubmitBlockRequest, bytes]:
    submission = signed(unsigned, KEYS)
    return submission, wire.encode_submission(submission, json=False)


def _judged_alone(relay: SandboxRelay, slot: Slot, unsigned: SubmitBlockRequest) -> None:
    submission, body = _signed(unsigned)
    decoded = wire.decode_submission(body, json=False, fork=submission.fork)
    checks.signature(decoded, SANDBOX_GENESIS_FORK_VERSION)
    wrong = [check for check in relay.validator.validate(decoded, slot) if not check.ok]
    if wrong:
        raise InputError(f"the block is refused: {wrong[0].message}")


def _relay_and_blocks(count: int) -> tuple[SandboxRelay, list[SubmitBlockRequest]]:
    """Make a relay with one slot, and blocks for it whose bids rise, each of 200 transfers and a payment."""
    secrets = [keccak(b"bench sender %d" % number) for number in range(TRANSACTIONS - 1)]
    accounts = {address_of(secret): Account(100 * ETHER, 0, EMPTY_CODE_HASH) for secret in secrets}
    state = Prestate(accounts, {}, {}, complete=True)
    engine, validators, book = get_engine("auto"), SandboxValidators("bench"), SlotBook()
    context = BlockContext(
        schedule=devnet_schedule(Fork.PRAGUE),
        slot=BEGINS,
        number=1,
        parent_hash=b"\x11" * 32,
        timestamp=BEGINS,
        prev_randao=b"\x22" * 32,
        gas_limit=30_000_000,
        base_fee_per_gas_wei=7 * GWEI,
        withdrawals=(),
        excess_blob_gas=0,
        parent_beacon_block_root=b"\x33" * 32,
    )
    slot = validators.slot_for(context, state, b"\xcb" * 20)
    book.add(slot)
    pending = [
        sign_transaction(
            secret,
            chain_id=DEVNET_CHAIN_ID,
            nonce=0,
            to=keccak(secret)[:20],
            value_wei=1,
            gas_limit=21_000,
            max_fee_per_gas_wei=100 * GWEI,
            max_priority_fee_per_gas_wei=(1 + place) * GWEI // 10,
        )
        for place, secret in enumerate(secrets)
    ]
    strategies = [FixedMargin(amount_wei=(count - number) * GWEI) for number in range(count)]
    templates = build_templates(
        engine, state, context, slot.proposer, KEYS, strategies=strategies, pending=pending
    )
    relay = SandboxRelay(
        slots=book,
        validator=ExecutionValidator(engine),
        key=BlsKey(7, test_only=True),
        validators=validators,
    )
    return relay, [unsigned_submission(template) for template in templates]
