"""What runs report is taken up here, because this process lives and is scraped."""

import asyncio
from collections import Counter
from pathlib import Path

from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.plugins import FAILURES
from mev_dagster.telemetry.logging import logger
from mev_dagster.telemetry.run_reports import ReportedSums

EVERY_SECONDS = 1.0

log = logger("ingest.heard_runs")


class HeardRuns:
    """Adds up the reports that runs leave in the home, and shows the sums beside the daemon's own metrics."""

    def __init__(self, home: Path, metrics: IngestMetrics) -> None:
        self._home, self._metrics = home, metrics
        self._sums = ReportedSums()
        metrics.registry.register(self._sums)
        FAILURES.register(metrics.registry)

    async def run(self) -> None:
        """Take up what waits, for ever; a disk that ails makes the reports wait, and nothing else."""
        while True:
            await asyncio.to_thread(self.take_up)
            await asyncio.sleep(EVERY_SECONDS)

    def take_up(self) -> None:
        """Take up what waits and count what became of it."""
        try:
            outcomes = self._sums.take_up(self._home)
        except OSError as error:
            log.warning("reports of runs left alone", error=error)
            outcomes = Counter(left=1)
        for outcome, count in outcomes.items():
            self._metrics.run_reports.labels(outcome).inc(count)
