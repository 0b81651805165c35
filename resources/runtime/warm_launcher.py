"""Run launcher: runs start in a process that has everything imported.

Dagster's stock launcher starts a new interpreter per run (6-9 s of imports on two cores). A run is instead
handed over a unix socket to the warm worker (`resources.runtime.warm_worker`), which forks. Whenever the
worker is absent, full, slow to answer or has loaded other code than the code server, the run goes to the
stock launcher, so nothing depends on the worker being alive; the queue's limits hold for those too.

Uses private parts of Dagster 1.13 (`dagster==1.13.*` is pinned; `tests/resources` covers it).
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster import DagsterRun, DagsterRunStatus
from dagster._config import Field, StringSource
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._serdes import ConfigurableClassData

from mev_dagster.blockrun.run_tags import LAUNCHER_TAG, STOCK, WORKER_PID_TAG, lane_of
from mev_dagster.blockrun.source_code import CODE_TAG
from resources.runtime.warm_protocol import INTERRUPTED, REMOVED, cancel, offer


class WarmRunLauncher(DefaultRunLauncher):
    """Hands runs to the warm worker, and those it does not take to the stock launcher."""

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
        """Offer a run to the worker; launch what it refuses the stock way, with the code it was asked of."""
        run, code = context.dagster_run, _code_of(context)
        if run.tags.get(WORKER_PID_TAG) or run.tags.get(LAUNCHER_TAG):
            # A run executed again has its parent's tags: that process is long gone.
            self._instance.add_run_tags(run.run_id, {WORKER_PID_TAG: "", LAUNCHER_TAG: ""})
        answer = offer(self._socket_path, run.run_id, lane_of(run.tags), code)
        if answer is not None and answer.get("accepted"):
            return
        why = "does not answer" if answer is None else str(answer.get("reason"))
        self._instance.report_engine_event(
            f"The warm worker {why}; this run starts in a new process.", run, cls=self.__class__
        )
        self._instance.add_run_tags(run.run_id, {LAUNCHER_TAG: STOCK, CODE_TAG: code})
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run wherever it is: waiting in the worker, executing there, or in its own process."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.tags.get(LAUNCHER_TAG) == STOCK:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        if run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        answer = cancel(self._socket_path, run_id)
        if answer == INTERRUPTED:
            return True
        pid = _worker_pid(run)
        if answer != REMOVED and pid is not None and _interrupted(pid):
            return True
        # The worker's child looks at the run before it begins, and leaves one that has ended alone.
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


def _code_of(context: LaunchRunContext) -> str:
    """Return the code that the run's code location has loaded; empty where it does not say."""
    origin = context.dagster_run.remote_job_origin
    if context.workspace is None or origin is None:
        return ""
    repository = origin.repository_origin
    location = context.workspace.get_code_location(repository.code_location_origin.location_name)
    metadata = location.get_repository(repository.repository_name).repository_snap.metadata or {}
    return str(metadata[CODE_TAG].value) if CODE_TAG in metadata else ""


def _interrupted(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def _worker_pid(run: DagsterRun) -> int | None:
    """Return the pid of the worker's child; a run that the stock launcher took may carry its parent's."""
    if run.tags.get(LAUNCHER_TAG) == STOCK or run.status is DagsterRunStatus.QUEUED:
        return None
    value = run.tags.get(WORKER_PID_TAG)
    return int(value) if value else None
