"""A process that hangs is restarted: supervisord sees only those that end.

    watch = Watch()
    for name in watch.hung(statuses(config), time.monotonic()):
        restart(config, name)

A process counts as hung when it did its work once and has not for `PATIENCE_SECONDS`; one that has only begun
gets `STARTING_SECONDS`.
"""

import time
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass, field

from mev_dagster.errors import MevError
from mev_dagster.platform.processes import restart
from mev_dagster.platform.status import ProcessStatus, statuses
from mev_dagster.settings import Settings, settings
from mev_dagster.telemetry.logging import configure, logger

NAME = "watchdog"
BEAT = "watchdog.beat"
EVERY_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
STARTING_SECONDS = 300.0

log = logger("watchdog")


@dataclass(slots=True)
class _Seen:
    """What is known of a process: its number, since when it has not done its work, whether it ever did."""

    pid: int
    unwell_since: float | None = None
    was_well: bool = False


@dataclass(slots=True)
class Watch:
    """What was seen of each process so far."""

    _seen: dict[str, _Seen] = field(default_factory=dict)

    def hung(self, states: Iterable[ProcessStatus], now: float) -> list[str]:
        """Take in how the processes are; return those to restart."""
        return [state.name for state in states if state.pid and self._is_hung(state, now)]

    def _is_hung(self, state: ProcessStatus, now: float) -> bool:
        seen = self._seen.get(state.name)
        if seen is None or seen.pid != state.pid:
            seen = self._seen[state.name] = _Seen(state.pid)
        if state.healthy:
            seen.was_well, seen.unwell_since = True, None
            return False
        if seen.unwell_since is None:
            seen.unwell_since = now
        patience = PATIENCE_SECONDS if seen.was_well else STARTING_SECONDS
        if now - seen.unwell_since < patience:
            return False
        del self._seen[state.name]
        return True


def watch(config: Settings) -> None:
    """Look after the processes until told to stop."""
    watching, beat = Watch(), config.home / BEAT
    while True:
        try:
            beat.touch()
            states = [state for state in statuses(config) if state.name != NAME]
            for name in watching.hung(states, time.monotonic()):
                log.error("a hung process is restarted", process=name)
                restart(config, name)
        except (MevError, OSError, xmlrpc.client.Error) as error:
            log.warning("cannot look after the processes", why=str(error))
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    configure()
    watch(settings())
