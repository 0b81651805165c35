"""Digests of the platform's own source: which code a process has loaded, and which code writes a table.

A digest is of the bytes of the files, so it is the same on every machine and in every process that has the
same files, and no clock or order of a folder has a part in it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mev_dagster.errors import OtherCode

PACKAGES = ("mev_dagster", "assets", "sensors", "resources")
SUFFIXES = (".py", ".sql", ".json", ".toml")
DIGITS = 16

CODE_TAG = "mev/code"
"""The code a run was asked of, as a run tag and as metadata of the code location."""


@cache
def loaded() -> str:
    """Return the digest of all source as it was when this process loaded its definitions, and first asked."""
    return on_disk()


def on_disk() -> str:
    """Return the digest of all source as it is now."""
    return digest(PACKAGES)


@cache
def version_of(*names: str) -> str:
    """Return the version of the code in these packages and modules, `windows` for `mev_dagster.windows`."""
    return digest(name if name.split(".")[0] in PACKAGES else f"mev_dagster.{name}" for name in names)


def refuse_other_code(tags: Mapping[str, str]) -> None:
    """Raise `OtherCode` where a run was asked of other code than this process has loaded."""
    asked = tags.get(CODE_TAG)
    if asked and asked != loaded():
        raise OtherCode(
            f"the run was asked of the code {asked}, this process has loaded {loaded()}: "
            "the files have changed since; reload the definitions and run it again"
        )


def digest(names: Iterable[str]) -> str:
    """Return the digest of the files of packages and modules, by their dotted names."""
    whole = hashlib.sha256()
    for name in sorted(set(names)):
        whole.update(name.encode() + b"\0")
        for label, file in _files(name):
            content = file.read_bytes()
            whole.update(f"{label}\0{len(content)}\0".encode())
            whole.update(content)
    return whole.hexdigest()[:DIGITS]


def _files(name: str) -> Iterator[tuple[str, Path]]:
    root, *inner = name.split(".")
    spec = find_spec(root)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source of {root}")
    # By its place below the root: what finds a module for others need not say where its file is.
    folder = Path(spec.origin).parent.joinpath(*inner)
    module = folder.with_suffix(".py")
    if inner and module.is_file():
        yield module.name, module
        return
    found = [path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()]
    if not found:
        raise ModuleNotFoundError(f"no source of {name}")
    yield from sorted((path.relative_to(folder).as_posix(), path) for path in found)
