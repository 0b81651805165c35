"""Submit: a sealed block signed as a dry bid and handed to the relay, within its slot and while it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import Span

from mev_dagster.errors import NodeAnswerError, NodeUnreachable
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SubmissionReport
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.signing import MAINNET_CONSENSUS
from mev_dagster.pbs.template import signed
from mev_dagster.pbs.types import SubmitBlockRequest
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of a submission: every attempt, and what the relay says it checked."""

    report: SubmissionReport
    receipts: Sequence[dict[str, Any]]


def slot_deadline_ns(clock: Clock) -> int:
    """Return when a submission that begins now has had its time (monotonic): the length of one slot.

    A head's run begins after its slot, a backfill's long after; what holds for both is that the place at the
    relay belongs to the next block when a slot has passed.
    """
    return clock.mono_ns() + MAINNET_CONSENSUS.seconds_per_slot * NS_PER_SECOND


async def hand_over(
    unsigned: SubmitBlockRequest,
    client: RelayClient,
    keys: Keyring,
    *,
    parent: Span | None,
    deadline_ns: int,
    superseded: Callable[[], bool],
    on_report: Callable[[SubmissionReport], None] = lambda report: None,
) -> HandedOver:
    """Sign and submit until the relay has decided; `on_report` gets the attempts ahead of the receipts."""
    report = await client.submit(
        signed(unsigned, keys), parent=parent, deadline_ns=deadline_ns, superseded=superseded
    )
    on_report(report)
    try:
        receipts = await client.receipts(unsigned.message.block_hash) if report.answered else []
    except (NodeUnreachable, NodeAnswerError):
        receipts = []  # only the sandbox gives receipts, and it may be gone by now
    return HandedOver(report, receipts)
