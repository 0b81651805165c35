"""Where things are shown: a block's part of its hour's page, a run, a partition. All on this machine."""

from mev_dagster.reports.window import ReportWindow
from mev_dagster.serving.listen import reached
from mev_dagster.settings import Settings


def page_url(config: Settings, window: ReportWindow) -> str:
    """Return the address at which the daemon serves a window's page."""
    return f"http://{reached(config.host)}:{config.ingest.port}/reports/{window.name}.html"


def block_url(config: Settings, time_ns: int, number: int) -> str:
    """Return the address of a block on its hour's page."""
    return f"{page_url(config, ReportWindow.hour_of(time_ns))}#block-{number}"


def trace_url(config: Settings, time_ns: int, trace_id: bytes) -> str:
    """Return the address of a trace on its block's hour's page."""
    return f"{page_url(config, ReportWindow.hour_of(time_ns))}#trace-{trace_id.hex()}"


def run_url(config: Settings, run_id: str) -> str:
    """Return the address of a run in Dagster's UI."""
    return f"http://{reached(config.host)}:{config.dagster.webserver_port}/runs/{run_id}"


def partition_url(config: Settings, asset: str, key: str) -> str:
    """Return the address of one partition of an asset in Dagster's UI."""
    base = f"http://{reached(config.host)}:{config.dagster.webserver_port}"
    return f"{base}/assets/{asset}?view=partitions&partition={key}"
