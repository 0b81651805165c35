"""The simulation engine, and the reference that judges it."""

from functools import lru_cache

import dagster as dg
from pydantic import Field

from mev_dagster.evm.engines import get_engine, resolved
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine, Want
from mev_dagster.settings import Settings, settings
from mev_dagster.telemetry.run_reports import run_registry


class EngineResource(dg.ConfigurableResource):
    """An engine by name; every engine gives the same results."""

    name: str = Field("py_evm", description="auto, py_evm (reference), revm (fast wheel) or node")

    def build(self) -> SimulationEngine:
        """Return the engine, metering instructions where that is cheap or asked for."""
        metered = settings().evm.meter_simulations
        if metered is None:
            metered = resolved(self.name) == "revm"
        return get_engine(self.name, want=Want(analytics=metered))


@lru_cache(maxsize=1)
def judge_of(configured: Settings) -> Recheck:
    """Return this process's judge: its counters are reported with the run's, its artifacts in the home."""
    return Recheck(configured.evm.recheck_share, folder=configured.mismatch_dir, registry=run_registry())
