"""The simulation engine."""

import dagster as dg
from pydantic import Field

from mev_dagster.evm.engines import get_engine, resolved
from mev_dagster.evm.types import SimulationEngine, Want
from mev_dagster.settings import settings


class EngineResource(dg.ConfigurableResource):
    """An engine by name; every engine gives the same results."""

    name: str = Field("py_evm", description="auto, py_evm (reference), revm (fast wheel) or node")

    def build(self) -> SimulationEngine:
        """Return the engine, metering instructions where that is cheap or asked for."""
        metered = settings().evm.meter_simulations
        if metered is None:
            metered = resolved(self.name) == "revm"
        return get_engine(self.name, want=Want(analytics=metered))
