"""`mev demo`: the whole loop on one capture, step by step, each with the figures that show it held."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mev_dagster.demo.stage import Stage, StepOutcome, staged
from mev_dagster.demo.steps.building import build_and_submit
from mev_dagster.demo.steps.ingest import check_capture, ingest
from mev_dagster.demo.steps.judgement import backtest, label
from mev_dagster.demo.steps.lineage import trace
from mev_dagster.demo.steps.parity import parity
from mev_dagster.demo.steps.peers import fetch_from_peer
from mev_dagster.demo.steps.search import search
from mev_dagster.errors import MevError

STEPS: tuple[tuple[str, Callable[[Stage], StepOutcome]], ...] = (
    ("capture", check_capture),
    ("peers", fetch_from_peer),
    ("ingest", ingest),
    ("parity", parity),
    ("search", search),
    ("build", build_and_submit),
    ("label", label),
    ("backtest", backtest),
    ("trace", trace),
)


@dataclass(frozen=True, slots=True)
class StoryStep:
    """One step of the story. `seconds` is all that differs between two runs over one capture."""

    name: str
    ok: bool
    seconds: float
    figures: dict[str, Any]


def play(capture: Path, home: Path) -> Iterator[StoryStep]:
    """Run the steps over a capture in a private home; end at the first that does not hold."""
    with staged(capture, home) as stage:
        for name, run in STEPS:
            started = time.perf_counter()
            try:
                outcome = run(stage)
            except MevError as error:
                outcome = StepOutcome(False, {"error": error.code, "detail": str(error)})
            yield StoryStep(name, outcome.ok, round(time.perf_counter() - started, 3), outcome.figures)
            if not outcome.ok:
                return
