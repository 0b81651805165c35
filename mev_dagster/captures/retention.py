"""Let old recordings go: captures, prestates and rotated traces, by when they were last written."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from mev_dagster.units import MIB

LARGEST_TRACE_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True)
class Removed:
    """One file or folder that went, or would go."""

    path: Path
    bytes: int


def prune_folder(folder: Path, before_ns: int, *, dry_run: bool = False) -> list[Removed]:
    """Remove the entries of a folder whose newest file is older; what is being written is never old."""
    removed = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        files = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else [entry]
        if not files or max(path.stat().st_mtime_ns for path in files) >= before_ns:
            continue
        removed.append(Removed(entry, sum(path.stat().st_size for path in files)))
        if not dry_run:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return removed


def rotate_traces(folder: Path, now_ns: int, *, dry_run: bool = False) -> list[Removed]:
    """Set trace files that have grown large aside under a dated name; their writers begin new ones."""
    grown = []
    for path in sorted(folder.glob("*.jsonl")):
        size = path.stat().st_size
        if size < LARGEST_TRACE_BYTES:
            continue
        grown.append(Removed(path, size))
        if not dry_run:
            path.rename(path.with_name(f"{path.stem}.{now_ns}.old"))
    return grown
