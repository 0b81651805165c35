"""Submit: a sealed block signed as a dry bid and handed to the relay, within its slot and while it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import Span

from mev_dagster.errors import NodeAnswerError, RelayUnreachable
from mev_dagster.pbs.client.deadline import submission_deadline_ns
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SubmissionReport
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import signed
from mev_dagster.pbs.types import SubmitBlockRequest


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of a submission: every attempt, and what the relay says it checked."""

    report: SubmissionReport
    receipts: Sequence[dict[str, Any]]


async def hand_over(
    unsigned: SubmitBlockRequest,
    client: RelayClient,
    keys: Keyring,
    *,
    parent: Span | None,
    deadline_ms: int,
    superseded: Callable[[], bool],
    on_report: Callable[[SubmissionReport], None] = lambda report: None,
) -> HandedOver:
    """Sign and submit until the relay has decided, for `deadline_ms` and while nothing supersedes it.

    `on_report` gets the attempts ahead of the receipts.
    """
    return await hand_over_signed(
        signed(unsigned, keys),
        client,
        parent=parent,
        deadline_ms=deadline_ms,
        superseded=superseded,
        on_report=on_report,
    )


async def hand_over_signed(
    submission: SubmitBlockRequest,
    client: RelayClient,
    *,
    deadline_ms: int,
    superseded: Callable[[], bool],
    parent: Span | None = None,
    on_report: Callable[[SubmissionReport], None] = lambda report: None,
) -> HandedOver:
    """Do the same with a submission that somebody has signed."""
    report = await client.submit(
        submission,
        parent=parent,
        deadline_ns=submission_deadline_ns(client.clock, bound_ms=deadline_ms),
        superseded=superseded,
    )
    on_report(report)
    try:
        receipts = await client.receipts(submission.message.block_hash) if report.answered else []
    except (RelayUnreachable, NodeAnswerError):
        receipts = []  # only the sandbox gives receipts, and it may be gone by now
    return HandedOver(report, receipts)
