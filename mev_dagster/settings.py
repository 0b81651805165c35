"""One typed settings object for every process: environment (`MEV_*`), `.env`, flags.

Unknown keyword arguments are refused. Paths are relative to the working directory until resolved.
"""

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from mev_dagster.units import MIB


class Settings(BaseSettings):
    """Everything a process may be told from outside; each field names its unit."""

    model_config = SettingsConfigDict(env_prefix="MEV_", env_file=".env", extra="forbid", frozen=True)

    home: Path = Field(Path(".mev"), description="where logs, the embedded store and Dagster's files live")
    host: str = Field("127.0.0.1", description="address every service binds; loopback by default")

    rpc_url: str | None = Field(None, description="execution node, ws:// or http://")
    rpc_http_url: str | None = Field(
        None, description="its HTTP endpoint, where it is not rpc_url with another scheme"
    )
    capture: Path | None = Field(None, description="a capture to replay instead of following a node")
    chain_id: int | None = Field(None, description="expected chain id; asked of the node when absent")

    store_url: str | None = Field(None, description="ClickHouse server; absent = embedded chDB")
    store_user: str = "default"
    store_password: str = Field("", repr=False)
    store_database: str = "mev"
    store_port: int = Field(18123, description="port of the embedded store's HTTP interface")

    p2p_port: int | None = Field(None, description="TCP and UDP port of the p2p lane; absent = only dial out")
    p2p_peers: str = Field("", description="enodes the p2p lane keeps to, comma-separated")
    p2p_trusted: str = Field("", description="enodes that are never given up for others, comma-separated")
    p2p_bootnodes: str = Field("", description="enodes discovery begins at, comma-separated")
    p2p_dns_list: str = Field("", description="enrtree:// list of nodes; public = the chain's own list")
    p2p_outbound: int = Field(25, description="peers the p2p lane looks for")
    p2p_redial_seconds: float = Field(35.0, description="least time between two dials of one peer")

    ingest_port: int = Field(19464, description="port of the daemon's /metrics, /healthz and /readyz")
    ingest_queue_events: int = Field(
        65_536, description="bound of the ingest queue; more is dropped and counted"
    )
    segment_bytes: int = Field(64 * MIB, description="an event-log segment is sealed past this size")
    segment_seconds: int = Field(3600, description="an event-log segment is sealed past this age")
    fsync_interval_ms: int = Field(10, description="group-commit interval of the event log")

    webserver_port: int = Field(13000, description="port of Dagster's web server")
    dagster_postgres_url: str | None = Field(
        None, description="Postgres for Dagster's runs and events; absent = SQLite under the home"
    )
    code_server_port: int = Field(13030, description="port of Dagster's code server")
    relay_port: int = Field(18550, description="port of the sandbox relay")
    relay_url: str | None = Field(None, description="relay to submit to; absent = the sandbox relay")

    alertmanager_url: str | None = Field(
        None, description="Alertmanager to poll for firing alerts, beside what is posted to the daemon"
    )
    prometheus_url: str | None = Field(None, description="Prometheus to poll for firing alerts")

    blocks_kept: int = Field(50_400, description="per-block partitions kept (7 days of 12 s blocks)")
    engine: str = Field(
        "auto", description="simulation engine: auto (revm where installed), py_evm, revm or node"
    )
    meter_simulations: bool | None = Field(
        None, description="store gas and accesses by instruction; absent = where the engine is revm"
    )
    recheck_share: float = Field(
        0.02, ge=0, le=1, description="share of all executions run again on py_evm; winners always are"
    )
    search_budget: int = Field(64, description="candidates per block that are verified by execution")
    retention_days_sightings: int = 30
    retention_days_transactions: int = 90
    retention_days_results: int = 365
    retention_days_events: int = Field(30, description="sealed event-log segments that the store holds")
    retention_days_runs: int = Field(7, description="Dagster runs with their events, and backfills")
    retention_days_alerts: int = Field(30, description="alerts remembered so that repeats are no news")
    retention_days_recordings: int = Field(30, description="captures under home/captures, prestates, traces")

    @property
    def node_http_url(self) -> str | None:
        """HTTP endpoint of the node: told, or `rpc_url` with its scheme turned into HTTP's."""
        if self.rpc_http_url or self.rpc_url is None:
            return self.rpc_http_url
        return "http" + self.rpc_url.removeprefix("ws") if self.rpc_url.startswith("ws") else self.rpc_url

    @property
    def events_dir(self) -> Path:
        """Folder of the event log."""
        return self.home / "events"

    @property
    def store_dir(self) -> Path:
        """Folder of the embedded store."""
        return self.home / "store"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def mismatch_dir(self) -> Path:
        """Inputs on which an engine and the reference disagreed, whole, each under its own id."""
        return self.home / "mismatches"

    @property
    def prestate_dir(self) -> Path:
        """Content-addressed prestates and codes."""
        return self.home / "prestate"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()
