"""The blocks a firing alert is about, and what is told of it in their runs.

The labels name the blocks (`block`, `window`, `first_block` and `last_block`); without such a label they are
those whose windows were open since the alert began.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources

import msgspec

from mev_dagster.blockrun.run_tags import ALERT_LABEL_TAG, ALERT_TAG, BLOCK_TAG, COLD, LANE_TAG
from mev_dagster.ingest.alert_inbox import WaitingAlert
from mev_dagster.store.alerts import TABLE, alert_row
from mev_dagster.store.client import Store
from mev_dagster.telemetry.alerts import Alert
from mev_dagster.telemetry.block_names import name_blocks

MAX_BLOCKS = 512
TAG_TEXT = 255

_SQL = resources.files("mev_dagster.blockrun")
AFFECTED_SQL = (_SQL / "affected_blocks.sql").read_text()
KNOWN_SQL = (_SQL / "known_blocks.sql").read_text()


@dataclass(frozen=True, slots=True)
class Affected:
    """The stored blocks an alert is about: the newest `MAX_BLOCKS` of `total`."""

    numbers: tuple[int, ...] = ()
    total: int = 0

    def action(self, runs: int) -> str:
        """Say what an alert came to."""
        if not runs:
            return "no stored block is affected"
        left = self.total - len(self.numbers)
        cut = f"; {left} older ones are not: at most {MAX_BLOCKS} at once" if left else ""
        return f"{runs} runs over {len(self.numbers)} blocks{cut}"


def affected(store: Store, waiting: WaitingAlert) -> Affected:
    """Return the stored blocks an alert is about."""
    named = waiting.alert.blocks()
    if named is not None:
        found = store.rows(KNOWN_SQL, {"numbers": list(named), "limit": MAX_BLOCKS})
    else:
        until = waiting.ends_ns or waiting.received_ns
        span = {"since": waiting.starts_ns, "until": until, "limit": MAX_BLOCKS}
        found = store.rows(AFFECTED_SQL, span)
    return Affected(
        tuple(sorted(int(row[0]) for row in found)), max((int(row[1]) for row in found), default=0)
    )


def set_aside(store: Store, waiting: WaitingAlert, why: Exception) -> str:
    """Keep a row for an alert that cannot be acted on or stored; what this raises is the store's trouble.

    The row has nothing of the alert but its labels: whatever else it says may be what cannot be stored.
    """
    action = f"set aside: {str(why)[:TAG_TEXT]}"
    bare = replace(waiting.alert, summary="", starts_ns=waiting.received_ns, ends_ns=None)
    row = alert_row(bare, received_ns=waiting.received_ns, blocks=(), action=action)
    store.replace(TABLE, {"alert_id": waiting.alert.id}, row)
    return action


def run_key(alert: Alert, stretch: Sequence[str]) -> str:
    """Return what a run is known by: the alert and its stretch of blocks, so that it runs once."""
    return f"alert:{alert.id.hex()}:{stretch[0]}-{stretch[-1]}"


def run_tags(alert: Alert, stretch: Sequence[str]) -> dict[str, str]:
    """Return the tags of a run over a stretch: its blocks, and the alert's labels as tags admit them."""
    labels = {
        ALERT_LABEL_TAG + re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:56]: value[:TAG_TEXT]
        for name, value in sorted(alert.labels.items())
        if value
    }
    return {
        LANE_TAG: COLD,
        BLOCK_TAG: name_blocks(map(int, stretch)),
        **labels,
        ALERT_TAG: alert.id.hex()[:16],
    }


def written(alerts: Sequence[WaitingAlert]) -> str:
    """Return the cursor that says which alerts a tick requested runs for."""
    return msgspec.json.encode([one.alert.id.hex() for one in alerts]).decode()


def read(cursor: str | None) -> list[bytes]:
    """Return the alerts the last tick requested runs for; a corrupted cursor names none.

    Their run keys then keep the repeated requests from running twice.
    """
    try:
        return [bytes.fromhex(text) for text in msgspec.json.decode(cursor or "[]", type=list[str])]
    except (msgspec.DecodeError, ValueError):
        return []
