"""A relay client of another package: what it does wrong ends its own submission, not the block's run."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from opentelemetry.trace import Span

from mev_dagster import plugins
from mev_dagster.errors import NodeAnswerError, PluginFailed, RelayUnreachable
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SlotDuty, SubmissionEnd, SubmissionReport
from mev_dagster.pbs.types import SubmitBlockRequest
from mev_dagster.plugin_loop import OwnLoop
from mev_dagster.plugins import SECONDS_OF_A_CALL, Plugin
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.units import NS_PER_SECOND

Answer = TypeVar("Answer")

MADE_OF = ("submit", "receipts", "duty_of_block", "post_slot", "__aenter__", "__aexit__")


def guarded(plugin: Plugin[Any], client: Any, name: str) -> "RelayClient":
    """Return the client behind its guard; raises where it is no client."""
    lacks = [attribute for attribute in MADE_OF if not hasattr(client, attribute)]
    if lacks:
        raise TypeError(f"a {type(client).__name__} lacks {', '.join(lacks)}")
    return GuardedRelay(plugin, client, name)  # type: ignore[return-value]  # it does the same


class GuardedRelay:
    """What the steps of a block ask of a relay, each with a time limit, on an event loop of its own."""

    clock: Clock = SystemClock()

    def __init__(self, plugin: Plugin[Any], client: Any, name: str) -> None:
        self._plugin, self._client, self._name = plugin, client, name
        self._own = OwnLoop(plugin)

    @property
    def name(self) -> str:
        """What settings call the relay."""
        return self._name

    async def __aenter__(self) -> Self:
        try:
            await self._asked(self._client.__aenter__)
        except PluginFailed as failure:
            plugins.note(failure)  # each question that follows fails by itself
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._asked(lambda: self._client.__aexit__(kind, error, trace))
        except PluginFailed as failure:
            plugins.note(failure)
        finally:
            await self._own.close()

    async def submit(
        self,
        submission: SubmitBlockRequest,
        *,
        deadline_ns: int,
        superseded: Callable[[], bool],
        parent: Span | None = None,
    ) -> SubmissionReport:
        """Submit until the deadline; a client that fails has submitted nothing that is known."""
        started_ns = self.clock.wall_ns()
        left_s = (deadline_ns - self.clock.mono_ns()) / NS_PER_SECOND
        try:
            report = await self._asked(
                lambda: self._client.submit(
                    submission, deadline_ns=deadline_ns, superseded=superseded, parent=parent
                ),
                max(left_s, 0.0),
            )
            if not isinstance(report, SubmissionReport):
                raise self._failed("raised", f"expected a SubmissionReport, found {report!r:.80}")
        except PluginFailed as failure:
            plugins.note(failure)
            ended = SubmissionEnd.DEADLINE if failure.reason == "timed_out" else SubmissionEnd.UNKNOWN
            return SubmissionReport(self._name, submission, started_ns, (), ended, False)
        return report

    async def receipts(self, block_hash: bytes) -> list[dict[str, Any]]:
        """Return what the relay says it checked."""
        found = await self._or_unreachable(lambda: self._client.receipts(block_hash))
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise NodeAnswerError(f"{self._name}: expected a list of receipts, found {found!r:.80}")
        return found

    async def duty_of_block(self, number: int) -> SlotDuty:
        """Return the proposer of a block's slot."""
        return self._duty(await self._or_unreachable(lambda: self._client.duty_of_block(number)))

    async def post_slot(self, document: dict[str, Any]) -> SlotDuty:
        """Hand a slot in and return its proposer."""
        return self._duty(await self._or_unreachable(lambda: self._client.post_slot(document)))

    def _duty(self, found: Any) -> SlotDuty:
        if not isinstance(found, SlotDuty):
            raise NodeAnswerError(f"{self._name}: expected a SlotDuty, found {found!r:.80}")
        return found

    async def _or_unreachable(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            return await self._asked(call)
        except PluginFailed as failure:
            if isinstance(failure.__cause__, RelayUnreachable | NodeAnswerError):
                raise failure.__cause__ from None
            plugins.note(failure)
            raise RelayUnreachable(str(failure)) from failure

    async def _asked(
        self, call: Callable[[], Awaitable[Answer]], seconds: float = SECONDS_OF_A_CALL
    ) -> Answer:
        return await self._own.run(call, seconds=seconds)

    def _failed(self, reason: str, detail: str) -> PluginFailed:
        said = " ".join(detail.split())
        return PluginFailed(self._plugin.kind, self._plugin.name, self._plugin.package, reason, said)
