"""What stands in the lists: nodes, relays, lanes and strategies, each an item of its own type.

In `mev.toml` an item is a table (`[[relays]]`) or, where its first field says it all, a word. In the
environment a list is words with commas between them, or JSON.
"""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from mev_dagster.settings.addresses import NODE, WEB, address
from mev_dagster.settings.section import Section
from mev_dagster.telemetry.logging import public_address

Option = str | int | float | bool


class Item(Section):
    """One item of a list; a bare word is its `word_field`."""

    word_field: ClassVar[str] = "name"

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        told = {cls.word_field: value} if isinstance(value, str) else value
        return cls._completed(told) if isinstance(told, dict) else told

    @classmethod
    def _completed(cls, told: dict[str, Any]) -> dict[str, Any]:
        return told


class AddressedItem(Item):
    """An item that is somewhere; absent a name, its address without the path is what it is called."""

    word_field: ClassVar[str] = "url"

    url: str
    name: str = Field("", description="what rows, logs and metrics call it; absent = host and port")

    @classmethod
    def _completed(cls, told: dict[str, Any]) -> dict[str, Any]:
        if told.get("url") and not told.get("name"):
            return told | {"name": _short_name(str(told["url"]))}
        return told


def _headers(value: Any) -> Any:
    """Read headers: a table, JSON, or the one line `Name: value`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: at character {error.pos}") from None
    name, colon, text = value.partition(":")
    if not colon or not name.strip() or not text.strip():
        raise ValueError("expected `Name: value` or a JSON object")
    return {name.strip(): text.strip()}


Headers = Annotated[dict[str, SecretStr], BeforeValidator(_headers)]
"""HTTP headers of a node; their values are never shown."""


class ProviderItem(AddressedItem):
    """One of the user's execution nodes."""

    url: Annotated[str, address(*NODE, or_path=True)] = Field(
        description="ws://, http:// or the path of an IPC socket"
    )
    http_url: Annotated[str | None, address(*WEB)] = Field(
        None, description="its HTTP endpoint, where it is not `url` with HTTP's scheme"
    )
    headers: Headers = Field(
        default_factory=dict, description="headers it is sent, such as a key; never shown"
    )

    @property
    def told_headers(self) -> dict[str, str]:
        """The headers as they are sent."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    @property
    def node_http_url(self) -> str | None:
        """HTTP endpoint of the node: told, or `url` with its scheme turned into HTTP's."""
        return self.http_url or http_of(self.url)


class RelayItem(AddressedItem):
    """A relay that takes the dry-run submissions; none but loopback is ever spoken to."""

    url: Annotated[str, address(*WEB)] = Field(description="http://host:port of the relay")
    kind: str = Field("http", description="which client speaks to it")
    encoding: Literal["ssz", "json"] = Field("ssz", description="what the relay is sent: ssz or json")
    gzip: bool = Field(False, description="compress what is sent")
    cancellations: bool = Field(False, description="a later bid replaces an earlier one, a lower one too")
    timeout_ms: int = Field(15_000, gt=0, le=60_000, description="longest that one request may take")
    strategy: str = Field("true_value", description="name of the bidding strategy")
    options: dict[str, Option] = Field(default_factory=dict, description="what the bidding strategy is told")


class LaneItem(Item):
    """A lane of the ingest daemon, by the name it is registered under."""

    name: str = Field(description="p2p, rpc, private, capture, or what a plug-in calls its lane")
    options: dict[str, Option] = Field(default_factory=dict, description="what this lane alone is told")


class StrategyItem(Item):
    """A strategy of the search, by the name it is registered under."""

    name: str = Field(description="the name the strategy's file registers")
    enabled: bool = Field(True, description="false = known and not run")
    options: dict[str, Option] = Field(default_factory=dict, description="what this strategy alone is told")


def http_of(url: str) -> str | None:
    """Return `url` with its scheme turned into HTTP's; None for a socket on this machine."""
    if url.startswith("ws"):
        return "http" + url.removeprefix("ws")
    return url if url.startswith("http") else None


def _short_name(url: str) -> str:
    return public_address(url).partition("://")[2] if "://" in url else url.rpartition("/")[2]


def _from_text(value: Any) -> Any:
    """Turn the environment's one string into a list: JSON where it looks like it, else words and commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith(("[", "{")):
        try:
            read = json.loads(value)
        except json.JSONDecodeError as error:
            # The text may hold a credential: say where it ends to be JSON, not what stands there.
            reason = error.msg.removesuffix(" starting at")
            raise ValueError(f"not JSON: {reason} at character {error.pos}") from None
        return read if isinstance(read, list) else [read]
    return words(value)


def _distinct(items: Any) -> Any:
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names have to differ, {', '.join(twice)} stands twice")
    return items


def words(text: str) -> list[str]:
    """Split words at commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


Listed = BeforeValidator(_from_text)
"""Makes a list out of the one string an environment variable is."""

Providers = Annotated[tuple[ProviderItem, ...], Listed, AfterValidator(_distinct)]
Relays = Annotated[tuple[RelayItem, ...], Listed, AfterValidator(_distinct)]
Lanes = Annotated[tuple[LaneItem, ...], Listed, AfterValidator(_distinct)]
Strategies = Annotated[tuple[StrategyItem, ...], Listed, AfterValidator(_distinct)]

Words = Annotated[tuple[str, ...], Listed]
"""Words with commas between them, or a list of strings."""

ITEMS: dict[str, type[Item]] = {
    "providers": ProviderItem,
    "relays": RelayItem,
    "lanes": LaneItem,
    "strategies": StrategyItem,
}
"""The item of each list."""
