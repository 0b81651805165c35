"""The engines by name."""

from mev_dagster.errors import InputError
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.settings import settings

ENGINES = ("py_evm", "revm", "node")


def get_engine(name: str = "py_evm", *, rpc_url: str | None = None) -> SimulationEngine:
    """Return a fresh engine: `py_evm`, the reference; `revm`, the native one; `node`, a live node's.

    The node is `rpc_url`, or the configured one.
    """
    if name == "py_evm":
        from mev_dagster.evm.py_evm.engine import PyEvmEngine

        return PyEvmEngine()
    if name == "node":
        from mev_dagster.evm.node import NodeEngine
        from mev_dagster.evm.rpc import JsonRpc

        url = rpc_url or settings().rpc_url
        if url is None:
            raise InputError("the node engine needs a node: set MEV_RPC_URL to its http:// endpoint")
        return NodeEngine(JsonRpc(url))
    if name == "revm":
        raise InputError("the revm engine is not installed: run `make native`, which needs cargo")
    raise InputError(f"no engine '{name}'; there are: {', '.join(ENGINES)}")
