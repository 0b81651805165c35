"""Every name the environment may use, and the nearest known one for a name it may not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel

from mev_dagster.settings.section import Section
from mev_dagster.settings.sections import Env

PREFIX = "MEV_"
PROFILE = "MEV_PROFILE"
"""Names the profile file; read before any setting."""

OTHERS = {
    "MEV_ANVIL": "tests: the anvil binary",
    "MEV_EELS_PYTHON": "tests: a Python that has the executable specification",
    "MEV_FIXTURES": "tests and benches: the folder of mainnet data",
    "MEV_GO_BIN": "tests: a folder with geth and devp2p",
    "MEV_INSPECT_PYTHON": "tests: a Python that has mev-inspect-py",
    "MEV_RELAY_BIN": "tests: a folder with another implementation's relay",
    "MEV_UI_TEST_URL_PORT": "tests: the web server of a platform that is up already",
}
"""Names that no setting has: tests, benches and tools read them. So are all that begin with `MEV_TEST_`."""

OTHERS_PREFIX = "MEV_TEST_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: where it stands in the profile file, and what the environment calls it."""

    path: tuple[str, ...]
    name: str
    description: str
    default: object

    @property
    def key(self) -> str:
        """Return the dotted key of the profile file."""
        return ".".join(self.path)


def settings_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> list[Setting]:
    """List the settings of a model and of its sections, in the order they are written."""
    found: list[Setting] = []
    for name, field in model.model_fields.items():
        here = (*path, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found += settings_of(field.annotation, here)
            continue
        told = [mark.name for mark in field.metadata if isinstance(mark, Env)]
        default = field.get_default(call_default_factory=True, validated_data={})
        environment = told[0] if told else PREFIX + "_".join(here).upper()
        found.append(Setting(here, environment, field.description or "", default))
    return found


def is_foreign(name: str) -> bool:
    """Return whether a `MEV_` name belongs to tests, benches or tools."""
    return name in OTHERS or name.startswith(OTHERS_PREFIX)


def nearest(name: str, known: Mapping[str, Setting]) -> str | None:
    """Return the known environment name that `name` was probably meant to be."""
    by_path = {PREFIX + "_".join(setting.path).upper(): setting.name for setting in known.values()}
    if name in by_path:
        return by_path[name]
    return nearest_of(name, [*known, PROFILE, *OTHERS])


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """Return the word of `known` that is most like `name`."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return close[0] if close else None
