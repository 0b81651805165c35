"""A submission has a deadline, and is told when its block is gone; what was tried is kept before all else."""

from types import SimpleNamespace

from mev_dagster.blockrun.handing_over import hand_over
from mev_dagster.errors import RelayUnreachable
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.types import BidTrace, ConsensusFork, ExecutionPayload, SubmitBlockRequest
from mev_dagster.telemetry.clock import VirtualClock
from mev_dagster.units import NS_PER_SECOND

KEYS = Keyring.test_only("handing over")
HASH = b"\x05" * 32


def unsigned() -> SubmitBlockRequest:
    payload = ExecutionPayload(
        *(bytes(32), bytes(20), bytes(32), bytes(32), bytes(256), bytes(32)), 7, 1, 1, 1, b"", 1, HASH, ()
    )
    message = BidTrace(7, bytes(32), HASH, bytes(48), bytes(48), bytes(20), 1, 1, 5)
    return SubmitBlockRequest(ConsensusFork.BELLATRIX, message, payload, bytes(96))


class Relay:
    """Keeps what it was asked, answers nothing, and is gone when asked for receipts."""

    def __init__(self, answered: bool) -> None:
        self.clock, self.asked, self.answered = VirtualClock(3 * NS_PER_SECOND), [], answered

    async def submit(self, submission, **options):
        self.asked.append((submission, options))
        return SimpleNamespace(answered=self.answered)

    async def receipts(self, block_hash):
        raise RelayUnreachable("gone")


async def handed(relay: Relay, **options):
    kept = []
    found = await hand_over(
        unsigned(),
        relay,
        KEYS,
        parent=None,
        deadline_ms=8_000,
        superseded=lambda: True,
        on_report=kept.append,
        **options,
    )
    return found, kept


async def test_it_is_signed_bounded_and_superseded():
    relay = Relay(answered=False)
    await handed(relay)
    [(submission, options)] = relay.asked
    assert submission.message.builder_pubkey == KEYS.bls.pubkey
    assert submission.message.block_hash == HASH
    assert options["deadline_ns"] == 11 * NS_PER_SECOND
    assert options["superseded"]()


async def test_the_attempts_are_kept_although_the_relay_is_gone_when_receipts_are_asked_for():
    found, kept = await handed(Relay(answered=True))
    assert kept == [found.report]
    assert found.receipts == []
