"""Files of JSON answers, one document each or one a line, read by place; lines one at a time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from mev_dagster.captures.importers.session import read_json
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.units import MIB

LINE_ENDINGS = (".ndjson", ".jsonl", ".ndjson.zst", ".jsonl.zst")
MAX_LINE_BYTES = 64 * MIB
_ENDINGS = (".json", ".json.zst", *LINE_ENDINGS)


def answer_files(paths: list[Path]) -> list[Path]:
    """Return the JSON files under `paths` by name."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [file for file in path.iterdir() if file.name.endswith(_ENDINGS)]
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{path}: no such file")
    if not found:
        raise InputError(f"no files that end with {' or '.join(_ENDINGS)} there")
    return sorted(found)


def is_lines(path: Path) -> bool:
    """Say whether a file holds a document a line: by its name, or because a second one follows the first."""
    if path.name.endswith(LINE_ENDINGS):
        return True
    if not path.name.endswith(".json"):
        return False
    try:
        with path.open("rb") as file:
            first, second = file.readline(MAX_LINE_BYTES), file.readline(MAX_LINE_BYTES)
        json.loads(first)
    except (OSError, ValueError, RecursionError):
        return False
    return bool(second.strip())


class AnswerReader:
    """Reads answers by place: a position in a file's list, or the offset of a line."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lines: BinaryIO | None = None
        self._answers: list[Any] = []

    def answers(self, path: Path) -> Iterator[tuple[int, Any]]:
        """Yield a file's answers with their places; a line that is no JSON comes as its `DecodeError`."""
        self._open(path)
        if self._lines is None:
            yield from enumerate(self._answers)
            return
        self._lines.seek(0)
        offset = 0
        while line := self._lines.readline(MAX_LINE_BYTES):
            if line.strip():
                yield offset, _document(line)
            offset += len(line)

    def answer(self, path: Path, place: int) -> Any:
        """Return one answer of a file."""
        self._open(path)
        if self._lines is None:
            return self._answers[place]
        self._lines.seek(place)
        return _document(self._lines.readline(MAX_LINE_BYTES))

    def _open(self, path: Path) -> None:
        if path == self._path:
            return
        self._path, self._answers = None, []
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        if is_lines(path):
            self._lines = _opened(path)
        else:
            document = read_json(path)
            listed = isinstance(document, list) and not is_receipts(document) and not is_raw(document)
            self._answers = document if listed else [document]
        self._path = path


def is_receipts(value: Any) -> bool:
    """Say whether a value is a block's receipts."""
    return (
        isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "blockNumber" in value[0]
    )


def is_raw(value: Any) -> bool:
    """Say whether a value is a list of encoded items."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _document(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return DecodeError("not_json")


def _opened(path: Path) -> BinaryIO:
    """Open a file of lines; a compressed one is unpacked beside nothing, into a file without a name."""
    import tempfile

    try:
        if not path.name.endswith(".zst"):
            return path.open("rb")
        unpacked: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the reader
        with path.open("rb") as file:
            zstandard.ZstdDecompressor().copy_stream(file, unpacked)
        return unpacked
    except (OSError, zstandard.ZstdError) as error:
        raise InputError(f"{path}: {error}") from error
