"""The engines by name."""

from mev_dagster.chain.forks import Fork
from mev_dagster.errors import InputError
from mev_dagster.evm.native import native, native_is_installed
from mev_dagster.evm.types import NO_LIMITS, RESULTS_ONLY, ExecutionLimits, SimulationEngine, Want
from mev_dagster.settings import settings

ENGINES = ("auto", "py_evm", "revm", "node")


def resolved(name: str) -> str:
    """Return which engine `auto` stands for here; any other name is its own."""
    if name == "auto":
        return "revm" if native_is_installed() else "py_evm"
    return name


# The last rules each engine executes; a node's results are applied and held by py_evm's journal.
_NEWEST = {"py_evm": Fork.BPO2, "revm": Fork.AMSTERDAM, "node": Fork.BPO2}
_LEFT_OUT = {"revm": {Fork.CONSTANTINOPLE}}


def executes(name: str, fork: Fork) -> bool:
    """Say whether an engine executes a fork's rules, without loading it; `auto` is the one it stands for."""
    name = resolved(name)
    return fork <= _NEWEST[name] and fork not in _LEFT_OUT.get(name, ())


def get_engine(
    name: str = "py_evm",
    *,
    rpc_url: str | None = None,
    want: Want = RESULTS_ONLY,
    limits: ExecutionLimits = NO_LIMITS,
) -> SimulationEngine:
    """Return a fresh engine: `py_evm`, the reference; `revm`, the native one; `node`, a live node's.

    `auto` is revm where it is installed, else py_evm. The node is `rpc_url`, or the configured one; it
    keeps limits of its own and takes none of ours. Results tell what is wanted, but for what it `lacks`.
    """
    name = resolved(name)
    if name == "py_evm":
        from mev_dagster.evm.py_evm.engine import PyEvmEngine

        return PyEvmEngine(limits, want=want)
    if name == "node":
        from mev_dagster.evm.node.engine import NodeEngine
        from mev_dagster.node.http import JsonRpc

        if limits != NO_LIMITS:
            raise InputError("the node engine keeps the node's own limits: steps and seconds cannot be set")
        url = rpc_url or settings().node_url
        if url is None:
            raise InputError("the node engine needs a node: set MEV_RPC_URL to its http:// endpoint")
        return NodeEngine(JsonRpc(url), want=want)
    if name == "revm":
        native()
        from mev_dagster.evm.revm.engine import RevmEngine

        return RevmEngine(limits, want=want)
    raise InputError(f"no engine '{name}'; there are: {', '.join(ENGINES)}")
