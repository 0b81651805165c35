"""The sections, one a room. A field is MEV_SECTION_FIELD in the environment, or what its `Env` says."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from mev_dagster.settings.addresses import NODE, WEB, address
from mev_dagster.settings.items import Headers, Words
from mev_dagster.settings.section import Section
from mev_dagster.units import MIB

Port = Annotated[int, Field(ge=0, le=65_535)]
Days = Annotated[int, Field(ge=-1, le=36_500)]
"""-1 keeps nothing, what is from today included."""


class Env:
    """The environment name of a field that had one before there were sections."""

    def __init__(self, name: str) -> None:
        self.name = name


class RpcSettings(Section):
    """`[rpc]`: the execution node, where there is one; `[[providers]]` lists several."""

    url: Annotated[str | None, address(*NODE, or_path=True)] = Field(
        None, description="execution node, ws:// or http://"
    )
    http_url: Annotated[str | None, address(*WEB)] = Field(
        None, description="its HTTP endpoint, where it is not url with another scheme"
    )
    headers: Headers = Field(
        default_factory=dict, description="headers it is sent: `Name: value` or JSON; never shown"
    )


class StoreSettings(Section):
    """`[store]`: ClickHouse, or the embedded store in its place."""

    url: Annotated[str | None, address(*WEB)] = Field(
        None, description="ClickHouse server; absent = embedded chDB"
    )
    user: str = Field("default", description="who speaks to it; a name in the address comes first")
    password: SecretStr = Field(SecretStr(""), description="never shown; one in the address comes first")
    database: str = Field("mev", description="database of every table")
    port: Port = Field(18123, description="port of the embedded store's HTTP interface")


class P2PSettings(Section):
    """`[p2p]`: the devp2p lane and its node."""

    port: Port | None = Field(None, description="TCP and UDP port of the p2p lane; absent = only dial out")
    peers: Words = Field((), description="enodes the p2p lane keeps to")
    trusted: Words = Field((), description="enodes that are never given up for others")
    bootnodes: Words = Field((), description="enodes discovery begins at")
    dns_list: str | None = Field(None, description="enrtree:// list of nodes; public = the chain's own list")
    outbound: int = Field(25, ge=0, description="peers the p2p lane looks for")
    redial_seconds: float = Field(
        35.0, ge=0, le=86_400, description="least time between two dials of one peer"
    )


class IngestSettings(Section):
    """`[ingest]`: the daemon; `[[lanes]]` lists its lanes."""

    port: Port = Field(19464, description="port of the daemon's /metrics, /healthz and /readyz")
    mode: Literal["p2p", "rpc", "hybrid"] | None = Field(
        None, description="lanes by what they are for: p2p, rpc, or hybrid for both; absent = `[[lanes]]`"
    )
    queue_events: int = Field(65_536, ge=1, description="bound of the queue; more is dropped and counted")
    stale_slots: int = Field(
        5,
        ge=0,
        description="slots without a new head before the daemon is not ready; 0 = a chain may stand still",
    )
    queue_bytes: int = Field(64 * MIB, ge=1, description="the same bound in bytes")


class EventsSettings(Section):
    """`[events]`: the event log."""

    segment_bytes: Annotated[int, Env("MEV_SEGMENT_BYTES")] = Field(
        64 * MIB, ge=1, description="a segment is sealed past this size"
    )
    segment_seconds: Annotated[int, Env("MEV_SEGMENT_SECONDS")] = Field(
        3600, ge=1, description="a segment is sealed past this age"
    )
    fsync_interval_ms: Annotated[int, Env("MEV_FSYNC_INTERVAL_MS")] = Field(
        10, ge=0, description="group-commit interval"
    )


class DagsterSettings(Section):
    """`[dagster]`: the orchestrator's own processes and records."""

    webserver_port: Annotated[Port, Env("MEV_WEBSERVER_PORT")] = Field(
        13000, description="port of the web server"
    )
    code_server_port: Annotated[Port, Env("MEV_CODE_SERVER_PORT")] = Field(
        13030, description="port of the code server"
    )
    postgres_url: Annotated[str | None, address()] = Field(
        None, description="Postgres for runs and events; absent = SQLite under the home"
    )
    blocks_kept: Annotated[int, Env("MEV_BLOCKS_KEPT")] = Field(
        50_400, ge=1, description="per-block partitions kept (7 days of 12 s blocks)"
    )


class RelaySettings(Section):
    """`[relay]`: the sandbox relay, and the one to submit to; `[[relays]]` lists several."""

    port: Port = Field(18550, description="port of the sandbox relay")
    url: Annotated[str | None, address(*WEB)] = Field(
        None, description="relay to submit to; absent = the sandbox relay"
    )
    deadline_ms: int = Field(
        8_000,
        gt=0,
        le=60_000,
        description="longest a block is offered to a relay",
    )


class AlertsSettings(Section):
    """`[alerts]`: where firing alerts are asked for, beside what is posted to the daemon."""

    alertmanager_url: Annotated[str | None, Env("MEV_ALERTMANAGER_URL"), address(*WEB)] = Field(
        None, description="Alertmanager to poll for firing alerts"
    )
    prometheus_url: Annotated[str | None, Env("MEV_PROMETHEUS_URL"), address(*WEB)] = Field(
        None, description="Prometheus to poll for firing alerts"
    )


class EvmSettings(Section):
    """`[evm]`: execution."""

    engine: Annotated[Literal["auto", "py_evm", "revm", "node"], Env("MEV_ENGINE")] = Field(
        "auto", description="simulation engine: auto (revm where installed), py_evm, revm or node"
    )
    meter_simulations: Annotated[bool | None, Env("MEV_METER_SIMULATIONS")] = Field(
        None, description="store gas and accesses by instruction; absent = where the engine is revm"
    )
    recheck_share: Annotated[float, Env("MEV_RECHECK_SHARE")] = Field(
        0.02, ge=0, le=1, description="share of all executions run again on py_evm; winners always are"
    )


class SearchSettings(Section):
    """`[search]`: the search; `[[strategies]]` says which strategies it runs."""

    budget: int = Field(64, ge=0, description="candidates per block that are verified by execution")


class RetentionSettings(Section):
    """`[retention]`: how many days each kind of thing is kept."""

    days_sightings: Days = Field(30, description="rows of the sightings' tier")
    days_transactions: Days = Field(90, description="rows of the transactions' tier")
    days_results: Days = Field(365, description="rows of the results' tier")
    days_events: int = Field(
        30, ge=-1, le=36_500, description="sealed event-log segments that the store holds"
    )
    days_runs: Days = Field(7, description="Dagster runs with their events, and backfills")
    days_alerts: int = Field(
        30, ge=-1, le=36_500, description="alerts remembered so that repeats are no news"
    )
    days_recordings: int = Field(
        30, ge=-1, le=36_500, description="captures under home/captures, prestates, traces"
    )
