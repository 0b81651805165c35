"""Where values come from beside flags: the environment, `.env`, and the profile file."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from mev_dagster.errors import InputError
from mev_dagster.settings.names import PREFIX, PROFILE, Setting, is_foreign, nearest

ENV_FILE = Path(".env")
DEFAULT_PROFILE = Path("mev.toml")


class Environment:
    """The `MEV_*` names that are set: in the process's environment, else in `.env`."""

    def __init__(self, process: Mapping[str, str] | None = None, file: Path = ENV_FILE) -> None:
        own = os.environ if process is None else process
        written = {name: value for name, value in dotenv_values(file).items() if value is not None}
        self.origin: dict[str, str] = {}
        self.values: dict[str, str] = {}
        for origin, given in ((f"{file}: ", written), ("", own)):
            for name, value in given.items():
                if name.upper().startswith(PREFIX):
                    self.values[name.upper()] = value
                    self.origin[name.upper()] = origin + name

    def refuse_unknown(self, known: Mapping[str, Setting]) -> None:
        """Raise `InputError` for the first name that is neither a setting nor declared to be others'."""
        for name in sorted(self.values):
            if name in known or name == PROFILE or is_foreign(name):
                continue
            meant = nearest(name, known)
            hint = f"; did you mean {meant}?" if meant else "; docs/settings.md lists the known ones"
            raise InputError(f"{self.origin[name]}: no such setting{hint}")

    def tree(self, known: Mapping[str, Setting]) -> dict[str, Any]:
        """Return the values as a profile file would hold them; an empty one takes back what the file says."""
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            if name not in known:
                continue
            setting, here = known[name], found
            for section in setting.path[:-1]:
                here = here.setdefault(section, {})
            here[setting.path[-1]] = setting.default if value == "" else value
        return found


def profile_path(environment: Environment) -> Path | None:
    """Return the profile file to read: the one that is named, else `mev.toml` where there is one."""
    named = environment.values.get(PROFILE)
    if named:
        return Path(named)
    return DEFAULT_PROFILE if DEFAULT_PROFILE.is_file() else None


def read_profile(path: Path) -> dict[str, Any]:
    """Return the tables of a profile file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"profile {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"profile {path}: {error}") from error
