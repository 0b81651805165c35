"""The engines by name."""

from mev_dagster.errors import InputError
from mev_dagster.evm.types import SimulationEngine

ENGINES = ("py_evm",)


def get_engine(name: str = "py_evm") -> SimulationEngine:
    """Return a fresh engine; `py_evm` is the reference and always there."""
    if name == "py_evm":
        from mev_dagster.evm.py_evm.engine import PyEvmEngine

        return PyEvmEngine()
    raise InputError(f"no engine '{name}'; there are: {', '.join(ENGINES)}")
