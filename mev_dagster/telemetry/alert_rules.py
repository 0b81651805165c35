"""Which alerts are the platform's own: those of the rules in `ops/prometheus`, and those that ask to be.

An Alertmanager serves several teams and a Prometheus fires their rules too; a database's alert is no reason
to run a block again. Any rule can ask for it with the label `mev_rerun: "true"`.
"""

from collections.abc import Mapping
from types import MappingProxyType

OPT_IN_LABEL = "mev_rerun"

RULES: Mapping[str, str] = MappingProxyType({
    "BlocksNotSearched": "runs",
    "BudgetBurnsFast": "slo",
    "BudgetBurnsSlowly": "slo",
    "ClockStepped": "platform",
    "CoverageCollapse": "ingest",
    "DecodeFailures": "ingest",
    "EngineMismatch": "runs",
    "EventsDropped": "ingest",
    "ExecutionStopped": "runs",
    "HeadStale": "ingest",
    "IngestLag": "store",
    "LaneDown": "ingest",
    "LaneSilent": "ingest",
    "MissingBlocks": "ingest",
    "ProcessDown": "platform",
    "QueueSaturation": "ingest",
    "StoreBacklog": "store",
    "WrongChain": "ingest",
})  # fmt: skip
"""Our rules and the component each names; a rule of the same name with another component is not ours."""


def is_ours(labels: Mapping[str, str]) -> bool:
    """Say whether an alert with these labels may start runs of ours."""
    if OPT_IN_LABEL in labels:
        return labels[OPT_IN_LABEL].strip().lower() == "true"
    component = RULES.get(labels.get("alertname", ""))
    return component is not None and labels.get("component", component) == component
