"""The whole of the settings, read once a process."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mev_dagster.chain.networks import extend_by
from mev_dagster.errors import InputError
from mev_dagster.settings.items import Lanes, ProviderItem, Providers, RelayItem, Relays, Strategies, http_of
from mev_dagster.settings.names import Setting, settings_of
from mev_dagster.settings.refusals import one_line
from mev_dagster.settings.section import Section
from mev_dagster.settings.sections import (
    AlertsSettings,
    DagsterSettings,
    EventsSettings,
    EvmSettings,
    IngestSettings,
    P2PSettings,
    RelaySettings,
    RetentionSettings,
    RpcSettings,
    SearchSettings,
    StoreSettings,
)
from mev_dagster.settings.sources import Environment, profile_path, read_profile


class Settings(BaseSettings):
    """Everything a process may be told from outside; keyword arguments are the flags.

    Settings(home=folder, store={"port": 0})
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    home: Path = Field(Path(".mev"), description="where logs, the embedded store and Dagster's files live")
    host: str = Field("127.0.0.1", description="address every service binds; loopback by default")
    capture: Path | None = Field(None, description="a capture to replay instead of following a node")
    chain_id: int | None = Field(None, ge=1, description="expected chain id; asked of the node when absent")

    forks_file: Path | None = Field(
        None, description="networks and forks to add, in the form of mev_dagster/chain/forks.toml"
    )

    rpc: RpcSettings = RpcSettings()
    store: StoreSettings = StoreSettings()
    p2p: P2PSettings = P2PSettings()
    ingest: IngestSettings = IngestSettings()
    events: EventsSettings = EventsSettings()
    dagster: DagsterSettings = DagsterSettings()
    relay: RelaySettings = RelaySettings()
    alerts: AlertsSettings = AlertsSettings()
    evm: EvmSettings = EvmSettings()
    search: SearchSettings = SearchSettings()
    retention: RetentionSettings = RetentionSettings()

    providers: Providers = Field((), description="the user's execution nodes, the preferred one first")
    relays: Relays = Field((), description="relays that take the dry-run submissions")
    lanes: Lanes = Field((), description="lanes of the daemon; absent = what its command is told")
    strategies: Strategies = Field(
        (), description="strategies of the search; absent = all that are installed"
    )

    def __init__(self, **told: Any) -> None:
        environment, known = Environment(), known_names()
        environment.refuse_unknown(known)
        profile = profile_path(environment)
        try:
            super().__init__(**told)
        except ValidationError as error:
            raise InputError(one_line(error, told, environment, profile, known)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        """Read flags, then the environment's own names, then the profile file."""
        environment = Environment()
        profile = profile_path(environment)
        return (
            init_settings,
            lambda: environment.tree(known_names()),
            lambda: {} if profile is None else read_profile(profile),
        )

    def changed(self, **changes: Any) -> Self:
        """Return these settings with other values: `changed(home=folder, store={"port": 0})`."""
        whole = {name: getattr(self, name) for name in type(self).model_fields}
        for name, value in changes.items():
            now = whole.get(name)
            if isinstance(now, Section) and isinstance(value, dict):
                whole[name] = {field: getattr(now, field) for field in type(now).model_fields} | value
            else:
                whole[name] = value
        return type(self)(**whole)

    @property
    def node_url(self) -> str | None:
        """Endpoint that streams: `rpc.url`, or the first provider's."""
        return self.rpc.url or (self.providers[0].url if self.providers else None)

    @property
    def node_http_url(self) -> str | None:
        """HTTP endpoint of the node: told, or `node_url` with its scheme turned into HTTP's."""
        if self.rpc.url or self.rpc.http_url or not self.providers:
            return self.rpc.http_url or http_of(self.rpc.url or "")
        return self.providers[0].node_http_url

    @property
    def nodes(self) -> tuple[ProviderItem, ...]:
        """The execution nodes in order of preference: `rpc.url` alone, or `[[providers]]`."""
        if self.rpc.url is None:
            return self.providers
        return (ProviderItem(url=self.rpc.url, http_url=self.rpc.http_url, headers=self.rpc.headers),)

    def headers_for(self, url: str) -> dict[str, str]:
        """Return what a node at this address is sent besides: what stands beside the same host and port."""
        for node in self.nodes:
            if _origin(url) in {_origin(node.url), _origin(node.node_http_url or "")}:
                return node.told_headers
        return {}

    @property
    def submission_relays(self) -> tuple[RelayItem, ...]:
        """The relays that take submissions: `relay.url` alone, `[[relays]]`, or the sandbox."""
        if self.relay.url is None and self.relays:
            return self.relays
        if self.relay.url is None:
            return (RelayItem(url=f"http://{self.host}:{self.relay.port}", name="sandbox"),)
        return (RelayItem(url=self.relay.url),)

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
    def reports_dir(self) -> Path:
        """Folder of the report pages."""
        return self.home / "reports"

    @property
    def mismatch_dir(self) -> Path:
        """Inputs on which an engine and the reference disagreed, whole, each under its own id."""
        return self.home / "mismatches"

    @property
    def prestate_dir(self) -> Path:
        """Content-addressed prestates and codes."""
        return self.home / "prestate"


def _origin(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


@lru_cache(maxsize=1)
def known_names() -> dict[str, Setting]:
    """Return every setting by its environment name."""
    return {setting.name: setting for setting in settings_of(Settings)}


def process_profile() -> Path | None:
    """Return the profile file this process reads, in full, so that a child elsewhere reads the same one."""
    path = profile_path(Environment())
    return None if path is None else path.resolve()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()


extend_by(lambda: settings().forks_file)
