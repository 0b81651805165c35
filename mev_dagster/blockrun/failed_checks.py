"""A check that failed and stops nothing is an alert of its own, or nobody would learn of it."""

import time

from mev_dagster.store.alerts import raise_once
from mev_dagster.store.client import Store

NAME = "CheckFailed"


def raise_check_alert(store: Store, *, asset: str, check: str, number: int, why: str) -> None:
    """Write the alert row of a check that failed for a block; while it is open, once."""
    raise_once(
        store,
        source="checks",
        labels={"alertname": NAME, "asset": asset, "check": check, "block": str(number)},
        summary=f"{asset}: {check} failed for block {number}: {why}"[:1024],
        blocks=(number,),
        action="none: the check blocks nothing; the alert is resolved once it passes",
        now_ns=time.time_ns(),
        reopen=True,
    )
