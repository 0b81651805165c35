"""What the warm worker holds: runs that wait and run, by lane, and which code it has. Starts no process."""

import json
import socket
from collections import deque
from dataclasses import dataclass, field

from mev_dagster.blockrun.run_tags import COLD, COLD_AT_ONCE, HOT, HOT_AT_ONCE
from mev_dagster.serving.liveness import PING, PONG
from resources.runtime.warm_protocol import CONFIRMATION, INTERRUPTED, MESSAGE_BYTES, REMOVED, UNKNOWN

MAX_RUNNING = {HOT: 2, COLD: COLD_AT_ONCE}
MAX_WAITING = {HOT: HOT_AT_ONCE, COLD: 4}
"""More of the cold lane wait in Dagster's queue, where they are seen."""
READ_SECONDS = 1.0
INTERRUPT_SECONDS = 15.0
"""A process that was told to end and has not by then is killed."""


@dataclass(slots=True)
class Queue:
    """Runs waiting and running, by lane; what is refused the launcher starts in a process of its own.

    `code` is what this worker has loaded. `stale` is set once the code server has other code: nothing more is
    taken, what was taken runs to its end, and the worker begins anew.
    """

    code: str = ""
    stale: bool = False
    waiting: dict[str, deque[str]] = field(default_factory=lambda: {HOT: deque(), COLD: deque()})
    running: dict[int, tuple[str, str]] = field(default_factory=dict)
    to_interrupt: list[int] = field(default_factory=list)
    told: str = ""

    def answer(self, lane: str, code: str = "") -> dict[str, object]:
        """Say whether there is room for a run; one asked of other code than this worker's is refused."""
        self.hear(code)
        if self.stale or (code and code != self.code):
            return {"accepted": False, "reason": f"has loaded the code {self.code}, not {code}"}
        waiting = len(self.waiting[lane])
        if waiting >= MAX_WAITING[lane]:
            return {"accepted": False, "reason": f"has {waiting} {lane} runs waiting"}
        return {"accepted": True}

    def hear(self, code: str) -> None:
        """Take in what the code server has loaded."""
        if code and code != self.code:
            self.told = code

    def cancel(self, run_id: str) -> str:
        """End a run that waits or executes; say which."""
        for lane in self.waiting.values():
            if run_id in lane:
                lane.remove(run_id)
                return REMOVED
        for pid, (running, _) in self.running.items():
            if running == run_id:
                self.to_interrupt.append(pid)
                return INTERRUPTED
        return UNKNOWN

    def next(self) -> tuple[str, str] | None:
        """Take the run to start now, with its lane: hot before cold, None when every place is taken.

        A cold run needs a place of its own lane only, however many heads wait.
        """
        for lane in (HOT, COLD):
            busy = sum(other == lane for _, other in self.running.values())
            if self.waiting[lane] and busy < MAX_RUNNING[lane]:
                return self.waiting[lane].popleft(), lane
        return None

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self.running and not any(self.waiting.values())


def negotiate(connection: socket.socket, queue: Queue) -> None:
    """Hear one caller out; a run is queued when there is room and the launcher confirms in time."""
    connection.settimeout(READ_SECONDS)
    try:
        message = connection.recv(MESSAGE_BYTES)
        if message == PING:
            connection.sendall(PONG)
            return
        said = json.loads(message)
        if "cancel" in said:
            connection.sendall(queue.cancel(str(said["cancel"])).encode())
            return
        if "run_id" not in said:
            queue.hear(str(said["code"]))
            connection.sendall(queue.code.encode())
            return
        run_id, lane = str(said["run_id"]), str(said.get("lane", HOT))
        connection.sendall(json.dumps(queue.answer(lane, str(said.get("code", "")))).encode())
        if connection.recv(MESSAGE_BYTES) == CONFIRMATION:
            queue.waiting[lane].append(run_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
