"""The simulation engine."""

import dagster as dg
from pydantic import Field

from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.types import SimulationEngine


class EngineResource(dg.ConfigurableResource):
    """An engine by name; every engine gives the same results."""

    name: str = Field("py_evm", description="auto, py_evm (reference), revm (fast wheel) or node")

    def build(self) -> SimulationEngine:
        """Return the engine."""
        return get_engine(self.name)
