"""What the steps of the story share: a capture, a private home, an engine, and what has come of them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from mev_dagster.blockrun.handing_over import HandedOver
from mev_dagster.blockrun.run import BlockRun
from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.captures.manifest import MANIFEST
from mev_dagster.events.reader import EventLogReader
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.labels.label import BlockLabels
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import BlockTemplate
from mev_dagster.search.rank import Candidate
from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store


class StepOutcome(NamedTuple):
    """Whether a step holds, and the figures that say so."""

    ok: bool
    figures: dict[str, Any]


@dataclass
class Stage:
    """Everything is a function of the capture: keys, seeds and times come from it."""

    capture: Capture
    settings: Settings
    engine: SimulationEngine
    blocks: dict[int, BlockRun] = field(default_factory=dict)
    templates: dict[int, BlockTemplate] = field(default_factory=dict)
    submissions: dict[int, HandedOver] = field(default_factory=dict)
    labels: dict[int, BlockLabels] = field(default_factory=dict)
    _store: Store | None = None

    @cached_property
    def seed(self) -> str:
        """Return what keys and ids are derived from: the digest of the capture's manifest."""
        return hashlib.sha256((self.capture.path / MANIFEST).read_bytes()).hexdigest()

    @property
    def store(self) -> Store:
        """Return the store of this home, opened when it is first wanted."""
        if self._store is None:
            self._store = open_store(self.settings)
        return self._store

    def close_store(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def run_of(self, number: int) -> BlockRun:
        """Return the run of a block of the capture, on this home's log and store."""
        if number not in self.blocks:
            self.blocks[number] = BlockRun(
                number,
                self.store,
                EventLogReader(self.settings.events_dir),
                self.capture,
                self.engine,
                Recheck(self.settings.evm.recheck_share, reference=self.engine),
                self.settings.home,
                Keyring.test_only(self.seed),
                self.settings.relay.deadline_ms,
                budget=self.settings.search.budget,
            )
        return self.blocks[number]

    @property
    def traces_dir(self) -> Path:
        """Return where spans are written."""
        return self.settings.home / "traces"

    @property
    def built_on(self) -> tuple[int, Candidate] | None:
        """Return the most profitable candidate that made it into a block, with the block's number."""
        chosen = [
            (number, candidate)
            for number, template in self.templates.items()
            for candidate in self.blocks[number].decision.result.candidates
            if candidate.opportunity_id in template.opportunity_ids
        ]
        return max(chosen, key=lambda pair: (pair[1].simulated_profit_wei or 0, -pair[0]), default=None)


def private_settings(home: Path, chain_id: int) -> Settings:
    """Return settings that share nothing with what else runs here: own folders, free ports, no server."""
    return Settings(
        home=home,
        chain_id=chain_id,
        capture=None,
        providers=(),
        relays=(),
        rpc={"url": None, "http_url": None},
        store={"url": None},
        relay={"url": None, "port": 0},
        ingest={"port": 0},
    )


@contextmanager
def staged(capture: Path, home: Path) -> Iterator[Stage]:
    """Open a capture on a stage of its own."""
    with open_capture(capture) as opened:
        stage = Stage(opened, private_settings(home, opened.chain_id), get_engine())
        try:
            yield stage
        finally:
            stage.close_store()
