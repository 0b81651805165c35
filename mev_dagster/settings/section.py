"""What every section is: frozen, closed to unknown keys, and silent about credentials."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from mev_dagster.telemetry.logging import public_address


class Section(BaseModel):
    """A group of settings that belong to one room."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    def __repr_args__(self) -> Any:
        """Show addresses without what may be a key in them: repr and logs come from here."""
        for name, value in super().__repr_args__():
            yield name, shown(name, value)


def holds_credential(name: str) -> bool:
    """Return whether a field of this name may hold a credential."""
    return name.endswith(("url", "password", "headers"))


def shown(name: str | None, value: Any) -> Any:
    """Return what may be shown of the field `name`."""
    if isinstance(value, str) and name is not None and holds_credential(name) and "://" in value:
        return public_address(value)
    return value
