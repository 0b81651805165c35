"""`docs/metrics.md`, made of the catalogue.

python -m mev_dagster.telemetry.metrics_page > docs/metrics.md
"""

import sys
from collections.abc import Iterator

from mev_dagster.telemetry.catalogue import LABELS, ROOMS
from mev_dagster.telemetry.metric import MAX_LABEL_SETS, RoomMetrics

HEAD = f"""# Metrics

Made by `python -m mev_dagster.telemetry.metrics_page` of `mev_dagster/telemetry/catalogue.py`, where a
new metric is one line. Names, kinds and labels are an interface: rules, runbooks and dashboards read them.

The ingest daemon shows its own and those of runs on port 19464, the relay on 18550. A run has no port: it
leaves what it counted in `.mev/metrics`, and the daemon adds it up once a second. Ages are worked out when
they are read, on the monotonic clock. One metric has at most {MAX_LABEL_SETS} series, then comes `other`.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(line for room in ROOMS for line in _room(room)), *_labels()]) + "\n"


def _room(room: type[RoomMetrics]) -> Iterator[str]:
    yield f"## {room.__name__.removesuffix('Metrics')}: {(room.__doc__ or '').strip()}\n"
    yield f"Shown by: {room.exported_by}.\n"
    yield "| metric | kind | unit | labels | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for one in room.declared():
        yield f"| `{one.name}` | {one.kind_name} | {one.unit} | {', '.join(one.labels)} | {one.meaning} |"
    yield ""


def _labels() -> Iterator[str]:
    yield "## Labels\n"
    yield "| label | values |"
    yield "| --- | --- |"
    for name, values in LABELS.items():
        yield f"| `{name}` | {values} |"


if __name__ == "__main__":
    sys.stdout.write(page())
