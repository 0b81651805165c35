"""Service level objectives as data, and the recording rules and burn-rate alerts that follow from them.

    python -m mev_dagster.telemetry.slo > ops/prometheus/slo.yml

An objective says which share of events may be bad. Its error budget burns at rate 1 when it is spent exactly
over `PERIOD`; an alert fires when it burns too fast over a long window and still does over a short one, so it
fires early, ends soon, and one bad minute pages nobody (Google SRE workbook, chapter 5).
"""

import sys
from dataclasses import dataclass
from typing import Any

import yaml

PERIOD = "30 days"
LAG = "mev_block_lag_seconds"


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of events that must be good; `bad` and `total` are rates over the window `$w`."""

    name: str
    meaning: str
    target: float
    bad: str
    total: str


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast a budget burns before someone is told: over a long window, and still over a short one."""

    alert: str
    long: str
    short: str
    rate: float
    severity: str


def _late(stage: str, seconds: str) -> tuple[str, str]:
    """Return the rates of blocks whose stage ended later than a bucket's bound, and of all."""
    all_of = f'sum by (instance) (rate({LAG}_count{{stage="{stage}"}}[$w]))'
    in_time = f'sum by (instance) (rate({LAG}_bucket{{stage="{stage}",le="{seconds}"}}[$w]))'
    return f"{all_of} - {in_time}", all_of


OBJECTIVES = (
    Objective("searched_in_2s", "opportunities within 2 s of the head", 0.95, *_late("searched", "2.0")),
    Objective("stored_in_4s", "the head's window in the store within 4 s", 0.99, *_late("stored", "4.0")),
    Objective(
        "nothing_dropped",
        "arrivals that reach the log",
        0.9999,
        "sum by (instance) (rate(mev_ingest_dropped_total[$w]))",
        "sum by (instance) (rate({__name__=~"
        '"mev_ingest_dropped_total|mev_ingest_events_total",kind=~"|TxSeen|TxBody"}[$w]))',
    ),
    Objective(
        "submissions_answered",
        "submissions the relay answers without a fault of its own",
        0.99,
        'sum by (instance) (rate(relay_submit_new_block_answers_total{status=~"5.."}[$w]))',
        "sum by (instance) (rate(relay_submit_new_block_answers_total[$w]))",
    ),
)
BURNS = (
    Burn("BudgetBurnsFast", "1h", "5m", 14.4, "page"),
    Burn("BudgetBurnsSlowly", "6h", "30m", 6.0, "warn"),
)
WINDOWS = ("5m", "30m", "1h", "6h")


def rules() -> dict[str, Any]:
    """Return the rule file: each objective's error share by window, its budget, and the alerts over all."""
    recorded = [
        {
            "record": f"mev:slo_errors:ratio_rate{window}",
            "expr": f"({one.bad}) / ({one.total})".replace("$w", window),
            "labels": {"slo": one.name},
        }
        for one in OBJECTIVES
        for window in WINDOWS
    ]
    budgets = [
        {
            "record": "mev:slo_budget:ratio",
            "expr": f"vector({round(1 - one.target, 6)})",
            "labels": {"slo": one.name},
        }
        for one in OBJECTIVES
    ]
    return {
        "groups": [
            {"name": "mev_slo", "rules": [*recorded, *budgets]},
            {"name": "mev_burn", "rules": [_alert(burn) for burn in BURNS]},
        ]
    }


def _alert(burn: Burn) -> dict[str, Any]:
    both = " and on (instance, slo) ".join(
        f"mev:slo_errors:ratio_rate{window} > on (slo) group_left () {burn.rate:g} * mev:slo_budget:ratio"
        for window in (burn.long, burn.short)
    )
    return {
        "alert": burn.alert,
        "expr": both,
        "labels": {
            "severity": burn.severity,
            "component": "slo",
            "runbook": "budget-burns-" + ("fast" if burn.severity == "page" else "slowly"),
        },
        "annotations": {
            "summary": "{{ $labels.slo }}: {{ $value | humanizePercentage }} of the last "
            f"{burn.long} was bad, over {burn.rate:g} times what {PERIOD} allow"
        },
    }


def text() -> str:
    """Return the rule file as it is kept."""
    head = "# Made by `python -m mev_dagster.telemetry.slo`; the objectives are data there.\n"
    body: str = yaml.safe_dump(rules(), sort_keys=False, width=110)
    return head + body


if __name__ == "__main__":
    sys.stdout.write(text())
