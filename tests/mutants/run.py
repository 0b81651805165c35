"""Change the core files in small ways and see whether their tests notice: `make mutants`.

First the mutations of `by_hand.toml`, each of which its test has to kill; then a seeded sample of the rooms
in `rooms.toml`. A room's score is the share of its sample that was killed; survivors are listed. The sample
is the same for the same sources and seed; where the minutes run out, what was not tried is counted as such.
"""

import argparse
import json
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from drawn import Mutant, draw
from trial import ROOT, Trial

HERE = Path(__file__).parent
SLACK = 5.0  # a mutant may make its tests so many times slower before it counts as never ending
BASELINE_SECONDS = 600.0


@dataclass
class Room:
    """The mutants of one room and what became of them."""

    name: str
    tests: list[str]
    mutants: list[Mutant]
    seconds: float = BASELINE_SECONDS
    killed: int = 0
    survivors: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.killed + len(self.survivors)

    def figures(self) -> dict[str, Any]:
        return {
            "killed": self.killed,
            "tried": self.tried,
            "not_tried": len(self.mutants) - self.tried,
            "score": share(self.killed, self.tried),
            "survivors": sorted(self.survivors),
        }


def share(killed: int, tried: int) -> float | None:
    return round(killed / tried, 3) if tried else None


def rooms(count: int, seed: int) -> Iterator[Room]:
    """Draw the sample of each room."""
    for name, about in tomllib.loads((HERE / "rooms.toml").read_text()).items():
        found = {path for pattern in about["files"] for path in ROOT.glob(pattern)}
        files = sorted(
            str(path.relative_to(ROOT)) for path in found if path.name not in about.get("without", ())
        )
        if not files:
            sys.exit(f"mutants: {name}: no file matches {about['files']}")
        tests = [*about["tests"], *about.get("options", ())]
        yield Room(name, tests, draw(ROOT, files, count, seed))


class Run:
    """Copies of the tree, and what is tried in them."""

    def __init__(self, scratch: Path, workers: int, minutes: float, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._deadline = time.monotonic() + minutes * 60
        self._trials: SimpleQueue[Trial] = SimpleQueue()
        for number in range(workers):
            self._trials.put(Trial(scratch / str(number)))

    @contextmanager
    def _trial(self) -> Iterator[Trial]:
        trial = self._trials.get()
        try:
            yield trial
        finally:
            self._trials.put(trial)

    def by_hand(self, about: dict[str, str]) -> tuple[str, str]:
        """Return the mutation's name and "killed", or what is wrong."""
        with self._trial() as trial:
            verdict = _verdict(trial, about)
        self._tell(f"by hand: {about['name']}: {verdict}")
        return about["name"], verdict

    def baseline(self, room: Room) -> None:
        """See that the room's tests pass as the sources are, and how long they take."""
        started = time.monotonic()
        with self._trial() as trial:
            if not trial.passes(room.tests, BASELINE_SECONDS):
                raise SystemExit(f"mutants: {room.name}: its tests fail without a mutation")
        room.seconds = max(30.0, SLACK * (time.monotonic() - started))

    def drawn(self, room: Room, mutant: Mutant) -> None:
        """Try one of the sample, unless the time is over."""
        if time.monotonic() >= self._deadline:
            return
        text = mutant.apply((ROOT / mutant.file).read_text())
        with self._trial() as trial, trial.changed(mutant.file, text):
            survives = trial.passes(room.tests, room.seconds)
        if survives:
            room.survivors.append(str(mutant))
            self._tell(f"survived: {mutant}")
        else:
            room.killed += 1


def _verdict(trial: Trial, about: dict[str, str]) -> str:
    source = (ROOT / about["file"]).read_text()
    if source.count(about["find"]) != 1:
        return f"{about['file']} holds the text to change {source.count(about['find'])} times"
    if not trial.passes([about["test"]], BASELINE_SECONDS):
        return f"{about['test']} fails without the mutation"
    with trial.changed(about["file"], source.replace(about["find"], about["put"])):
        return "survived" if trial.passes([about["test"]], BASELINE_SECONDS) else "killed"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Small changes to the core files: do their tests notice?")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-room", type=int, default=16, help="mutants of each room")
    parser.add_argument("--minutes", type=float, default=10.0, help="start no drawn mutant after so long")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="one room, or by_hand")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def main() -> int:
    """Run, print, and say by the status whether every mutation by hand was killed."""
    asked = arguments()

    def tell(line: str) -> None:
        print(line, file=sys.stderr if asked.json else sys.stdout, flush=True)

    known = tomllib.loads((HERE / "by_hand.toml").read_text())["mutation"]
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch, ThreadPoolExecutor(asked.workers) as pool:
        run = Run(Path(scratch), asked.workers, asked.minutes, tell)
        hand = dict(pool.map(run.by_hand, known if asked.only in {None, "by_hand"} else ()))
        sample = [room for room in rooms(asked.per_room, asked.seed) if asked.only in {None, room.name}]
        list(pool.map(run.baseline, sample))
        turns = range(max((len(room.mutants) for room in sample), default=0))
        tasks = [(room, room.mutants[turn]) for turn in turns for room in sample if turn < len(room.mutants)]
        list(pool.map(lambda task: run.drawn(*task), tasks))
    killed, tried = sum(room.killed for room in sample), sum(room.tried for room in sample)
    report = {
        "seed": asked.seed,
        "by_hand": hand,
        "rooms": {room.name: room.figures() for room in sample},
        "killed": killed,
        "tried": tried,
        "score": share(killed, tried),
        "ok": all(verdict == "killed" for verdict in hand.values()),
    }
    if asked.json:
        print(json.dumps(report, indent=1))
    else:
        for room in sample:
            left = len(room.mutants) - room.tried
            print(f"{room.name:<12} {room.killed} of {room.tried} killed, {left} not tried")
        print(f"score {report['score']} ({killed} of {tried}), seed {asked.seed}")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
