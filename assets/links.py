"""Where a materialisation leads: to its block and its trace on the report page of the block's hour."""

from typing import Any

import dagster as dg

from mev_dagster.blockrun.run import BlockRun
from mev_dagster.reports.links import block_url, trace_url
from mev_dagster.settings import settings


def links(block: BlockRun, trace_id: bytes | None = None) -> dict[str, Any]:
    """Return the metadata that leads on; the page leads back to the run and the partition.

    The hour's page is written when the hour is rolled up, every ten minutes while blocks arrive.
    """
    config, time_ns = settings(), block.time_ns
    found: dict[str, Any] = {"report": dg.MetadataValue.url(block_url(config, time_ns, block.number))}
    if trace_id is not None:
        found["trace_id"] = trace_id.hex()
        found["trace"] = dg.MetadataValue.url(trace_url(config, time_ns, trace_id))
    return found
