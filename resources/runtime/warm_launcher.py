"""Run launcher of the lanes: per-block runs start in a process that has everything imported.

Dagster's stock launcher starts a new interpreter per run (6-9 s of imports on two cores). A run with a lane
tag is instead handed over a unix socket to the warm worker (`resources.runtime.warm_worker`), which forks and
executes hot runs at once and cold ones behind them. Whenever the worker is absent, full or slow to answer,
the run goes to the stock launcher, so nothing depends on the worker being alive.

Uses private parts of Dagster 1.13 (`dagster==1.13.*` is pinned; `tests/resources` covers it).
"""

import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster import DagsterRun, DagsterRunStatus
from dagster._config import Field, StringSource
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._serdes import ConfigurableClassData

from mev_dagster.blockrun.run_tags import COLD, HOT, LAUNCHER_TAG, STOCK, WARM, lane_of

WORKER_PID_TAG = "mev/worker_pid"
ANSWER_SECONDS = 2.0
MESSAGE_BYTES = 4096
CONFIRMATION = b"go\n"


def offer(socket_path: str, run_id: str, lane: str = HOT) -> dict[str, Any] | None:
    """Offer a run to the warm worker; return its answer, None when it is absent or does not answer.

    The worker takes the run only when its answer is confirmed in time: whoever gave up waiting may then
    start the run elsewhere, and it never runs twice.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(socket_path)
            connection.sendall(json.dumps({"run_id": run_id, "lane": lane}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.recv(MESSAGE_BYTES))
            if answer.get("accepted"):
                connection.sendall(CONFIRMATION)
            return answer
    except (OSError, ValueError):
        return None


class WarmRunLauncher(DefaultRunLauncher):
    """Hands the lanes' runs to the warm worker and everything else to the stock launcher."""

    def __init__(self, socket_path: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._socket_path = socket_path

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Describe the `config` block of `dagster.yaml`."""
        return {"socket_path": Field(StringSource, description="unix socket of the warm worker")}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Build the launcher from `dagster.yaml`."""
        return cls(socket_path=config_value["socket_path"], inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Offer the lanes' runs to the worker; launch the rest, and what it refuses, the stock way."""
        run = context.dagster_run
        if WORKER_PID_TAG in run.tags or LAUNCHER_TAG in run.tags:
            # A run executed again has its parent's tags: that process is long gone.
            self._instance.add_run_tags(run.run_id, {WORKER_PID_TAG: "", LAUNCHER_TAG: ""})
        lane = lane_of(run.tags)
        if lane in (HOT, COLD):
            answer = offer(self._socket_path, run.run_id, lane)
            if answer is not None and answer.get("accepted"):
                return
            why = "does not answer" if answer is None else str(answer.get("reason"))
            self._instance.report_engine_event(
                f"The warm worker {why}; this run starts in a new process.", run, cls=self.__class__
            )
        if lane is not None or WORKER_PID_TAG in run.tags:
            self._instance.add_run_tags(run.run_id, {LAUNCHER_TAG: STOCK})
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run wherever it executes."""
        run = self._instance.get_run_by_id(run_id)
        pid = _worker_pid(run)
        if run is not None and pid is None and _waits(run):
            # The worker's child looks at the run before it begins, and leaves one that has ended alone.
            self._instance.report_run_canceling(run)
            self._instance.report_run_canceled(run)
            return True
        if run is None or pid is None:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        if run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            self._instance.report_run_canceled(run)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Dagster's run monitoring may ask whether a run's process lives."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Say whether the process executing `run` is alive."""
        pid = _worker_pid(run)
        if pid is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "executed by the code server")
        alive = Path(f"/proc/{pid}").exists()
        return CheckRunHealthResult(
            WorkerStatus.RUNNING if alive else WorkerStatus.NOT_FOUND, f"forked worker {pid}"
        )


def _waits(run: DagsterRun) -> bool:
    """Say whether a run waits for its turn in the worker."""
    return (
        lane_of(run.tags) is not None
        and run.tags.get(LAUNCHER_TAG) not in (STOCK, WARM)
        and run.status in (DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED)
    )


def _worker_pid(run: DagsterRun | None) -> int | None:
    """Return the pid of the worker's child; a run that the stock launcher took may carry its parent's."""
    if run is None or run.tags.get(LAUNCHER_TAG) == STOCK:
        return None
    value = run.tags.get(WORKER_PID_TAG)
    return int(value) if value else None
