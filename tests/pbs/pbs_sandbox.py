"""A sandbox relay on a free loopback port, in the test's own event loop."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from pbs_devnet import context, state, transfer

from mev_dagster.evm.engines import get_engine
from mev_dagster.pbs.client.deadline import submission_deadline_ns
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.keys import BlsKey, Keyring
from mev_dagster.pbs.sandbox.relay import RelayRules, SandboxRelay
from mev_dagster.pbs.sandbox.serve import bind, server_for, url_of
from mev_dagster.pbs.sandbox.slots import SandboxValidators, SlotBook
from mev_dagster.pbs.sandbox.validator import ExecutionValidator, PaymentRule
from mev_dagster.pbs.schema import BID_TRACE
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION
from mev_dagster.pbs.template import build_template, submission_of

ENGINE = get_engine()
BUILDER = Keyring.test_only("sandbox tests")
SLOT = 1_800_000_000
"""A devnet's slots are its seconds."""


def make_relay(*, fork=None, rules=None, parent_state=None, strict=False, **fields) -> SandboxRelay:
    validators = SandboxValidators("tests")
    at = context(slot=SLOT) if fork is None else context(fork, slot=SLOT)
    book = SlotBook()
    book.add(validators.slot_for(at, state() if parent_state is None else parent_state, b"\xcb" * 20))
    return SandboxRelay(
        slots=book,
        validator=ExecutionValidator(ENGINE, PaymentRule(strict)),
        key=BlsKey(7, test_only=True),
        validators=validators,
        rules=rules or RelayRules(),
        **fields,
    )


def make_submission(relay: SandboxRelay, *, tip_gwei: int = 50, **options):
    slot = relay.slot_of_block(1)
    template = build_template(
        ENGINE,
        state(),
        slot.context,
        slot.proposer,
        BUILDER,
        pending=[transfer(n, tip_gwei=tip_gwei) for n in range(3)],
        **options,
    )
    return submission_of(template, BUILDER)


def changed(submission, *, message=None, payload=None, resign=True, **fields):
    """Change fields of a submission and sign it again, so that only the intended check can notice."""
    trace = replace(submission.message, **(message or {}))
    body = replace(submission.execution_payload, **(payload or {}))
    result = replace(submission, message=trace, execution_payload=body, **fields)
    if not resign:
        return result
    return replace(result, signature=BUILDER.bls.sign(BID_TRACE, trace, SANDBOX_GENESIS_FORK_VERSION))


@asynccontextmanager
async def running(relay: SandboxRelay):
    bound = bind("127.0.0.1", 0)
    server = server_for(relay)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield url_of(bound)
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def connected(relay: SandboxRelay, **options):
    endpoint = {name: options.pop(name) for name in ("json", "gzip", "cancellations") if name in options}
    async with running(relay) as url, RelayClient(RelayEndpoint(url, **endpoint), **options) as client:
        yield client


async def offer(client: RelayClient, submission, *, deadline_ns=None, superseded=lambda: False, **options):
    """Submit with half a minute on the client's clock, unless the test is about the deadline."""
    if deadline_ns is None:
        deadline_ns = submission_deadline_ns(client.clock, bound_ms=30_000)
    return await client.submit(submission, deadline_ns=deadline_ns, superseded=superseded, **options)
