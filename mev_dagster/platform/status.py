"""How the processes of a running platform are: the supervisor's word and each one's own, within seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import msgspec

from mev_dagster.platform.deadline import answers_within
from mev_dagster.platform.health import StoppedStages, Verdict, is_stopped, probe, stopped_stages
from mev_dagster.platform.lag import Lag, block_to_opportunity_lag
from mev_dagster.platform.processes import NotRunning, Process, supervisor
from mev_dagster.settings import Settings
from mev_dagster.store.client import open_store

SUPERVISOR_SECONDS = 1.0
PROBE_SECONDS = 3.0
"""Together they are what `mev status` may take, whatever hangs: five seconds with its own start."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How one process is."""

    name: str
    pid: int
    healthy: bool
    url: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class PlatformStatus:
    """Every process, the stages that stand still, and the lag; `problem` says why the lag is not known."""

    processes: tuple[ProcessStatus, ...]
    stopped: tuple[StoppedStages, ...]
    lag: Lag | None
    problem: str

    @property
    def healthy(self) -> bool:
        """Whether nothing is to be done."""
        return all(one.healthy for one in self.processes) and not self.stopped and self.lag is not None


def statuses(config: Settings) -> list[ProcessStatus]:
    """Ask the supervisor and each process's own health probe, side by side."""
    states, listed = _supervised(config), _listed(config)
    answers = answers_within(PROBE_SECONDS, _probes(listed, states))
    return [_status(process, states, answers.get(process.name)) for process in listed]


def whole_status(config: Settings) -> PlatformStatus:
    """Ask everything that `mev status` tells, side by side."""
    states, listed = _supervised(config), _listed(config)
    ingest = next((process for process in listed if process.name == "ingest"), None)
    questions: dict[str, Callable[[], Any]] = {
        **_probes(listed, states),
        " lag": lambda: block_to_opportunity_lag(open_store(config, in_process=False, migrate=False)),
    }
    if ingest is not None:
        questions[" stopped"] = partial(stopped_stages, ingest.health)
    answers = answers_within(PROBE_SECONDS, questions)
    lag, stopped = answers.get(" lag"), answers.get(" stopped")
    problem = "" if isinstance(lag, Lag) else str(lag or f"no answer within {PROBE_SECONDS:.0f} s")
    return PlatformStatus(
        tuple(_status(process, states, answers.get(process.name)) for process in listed),
        tuple(stopped) if isinstance(stopped, list) else (),
        lag if isinstance(lag, Lag) else None,
        problem,
    )


def _supervised(config: Settings) -> dict[str, dict[str, Any]]:
    def ask() -> dict[str, dict[str, Any]]:
        with supervisor(config) as rpc:
            return {one["name"]: one for one in cast(list[dict[str, Any]], rpc.getAllProcessInfo())}

    answer = answers_within(SUPERVISOR_SECONDS, {"supervisor": ask}).get("supervisor")
    if isinstance(answer, Exception):
        raise answer
    if answer is None:
        raise NotRunning(f"the supervisor of home {config.home} does not answer: see `mev down`")
    return answer


def _listed(config: Settings) -> list[Process]:
    return msgspec.json.decode((config.home / "processes.json").read_bytes(), type=list[Process])


def _probes(listed: list[Process], states: dict[str, dict[str, Any]]) -> dict[str, Callable[[], Verdict]]:
    return {
        process.name: partial(_asked, process.health, int(states[process.name]["pid"]))
        for process in listed
        if states.get(process.name, {}).get("statename") == "RUNNING"
    }


def _asked(address: str, pid: int) -> Verdict:
    return Verdict(False, "it has been stopped (SIGSTOP)") if is_stopped(pid) else probe(address)


def _status(
    process: Process, states: dict[str, dict[str, Any]], answer: Verdict | Exception | None
) -> ProcessStatus:
    state = states.get(process.name, {"pid": 0, "statename": "ABSENT", "spawnerr": ""})
    name = state["statename"]
    if name != "RUNNING":
        verdict = Verdict(False, state.get("spawnerr", ""))
    elif answer is None:
        verdict = Verdict(False, f"no answer within {PROBE_SECONDS:.0f} s")
    else:
        verdict = answer if isinstance(answer, Verdict) else Verdict(False, str(answer))
    detail = name.lower() + (f": {verdict.why}" if verdict.why else "")
    return ProcessStatus(process.name, int(state["pid"]), verdict.healthy, process.url, detail)
