"""Which importer a set of files is for: their names tell, or their content where the names do not."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from mev_dagster.captures.importers.era1 import import_era1
from mev_dagster.captures.importers.mempool_dumpster import import_mempool_dumpster
from mev_dagster.captures.importers.prestate_files import block_files, import_blocks_prestate
from mev_dagster.captures.importers.rpc_answers import import_rpc_answers
from mev_dagster.captures.importers.rpc_files import LINE_ENDINGS, answer_files, is_lines
from mev_dagster.captures.importers.session import ImportReport, OnProgress, no_progress, read_json
from mev_dagster.errors import InputError

_DUMPSTER = (".parquet", ".csv", ".csv.zip")


class Format(StrEnum):
    """What `mev capture import` reads."""

    BLOCKS = "blocks"
    RPC = "rpc"
    DUMPSTER = "dumpster"
    ERA1 = "era1"


def import_files(
    paths: Sequence[Path],
    out: Path,
    *,
    format: Format | None = None,
    chain_id: int | None = None,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Make a capture of `paths`; `chain_id` is for formats that do not say it themselves."""
    match format or guess_format(paths):
        case Format.BLOCKS:
            return import_blocks_prestate(paths, out, on_progress=on_progress)
        case Format.RPC:
            return import_rpc_answers(paths, out, chain_id=chain_id, on_progress=on_progress)
        case Format.DUMPSTER:
            return import_mempool_dumpster(
                _files(paths, *_DUMPSTER), out, chain_id=chain_id, on_progress=on_progress
            )
        case Format.ERA1:
            return import_era1(_files(paths, ".era1"), out, chain_id=chain_id, on_progress=on_progress)


def guess_format(paths: Sequence[Path]) -> Format:
    """Return the format of the first file found under `paths`."""
    for path in paths:
        names = sorted(file.name for file in path.iterdir()) if path.is_dir() else [path.name]
        if any(name.endswith(".era1") for name in names):
            return Format.ERA1
        if any(name.endswith(_DUMPSTER) for name in names):
            return Format.DUMPSTER
        if any(name.endswith(LINE_ENDINGS) for name in names):
            return Format.RPC
        if any(name.endswith((".json", ".json.zst")) for name in names):
            return _json_format(path)
    known = ".json, .ndjson, .jsonl (each also .zst), .csv, .csv.zip, .parquet, .era1"
    raise InputError(f"nothing there that can be imported: {known}")


def _json_format(path: Path) -> Format:
    try:
        first = block_files([path])[0]
    except InputError:
        return Format.RPC if answer_files([path]) else Format.BLOCKS
    if is_lines(first):
        return Format.RPC
    document = read_json(first)
    return Format.BLOCKS if isinstance(document, dict) and "pre_state" in document else Format.RPC


def _files(paths: Sequence[Path], *endings: str) -> list[Path]:
    """Return the files among `paths`, and those in folders that have one of the endings."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.iterdir() if file.name.endswith(endings))
        else:
            found.append(path)
    if not found:
        raise InputError(f"no files that end with {' or '.join(endings)} there")
    return found
