"""Structured logs: one JSON object a line for machines, one readable line on a terminal; never a secret.

    log = logger("ingest.rpc")
    log.info("connected", source="127.0.0.1:8545", client="anvil/v1.7.1")

Level `error` always means a fault of the system, never of its input. Values are cleaned on the way out:
fields named like a secret are masked and addresses keep only scheme, host and port, since providers put
API keys in the path.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import urlsplit

import msgspec

from mev_dagster.hexadecimal import to_hex

ROOT_NAME = "mev"
SECRET_FIELD = re.compile(r"password|secret|token|api_?key|private_?key|authorization|cookie|mnemonic", re.I)
ADDRESS = re.compile(r"\b(?:https?|wss?|enode|postgres(?:ql)?|clickhouse)://[^\s'\"<>]+", re.I)
MASK = "***"
_FIELDS = "mev_fields"


def public_address(url: str) -> str:
    """Return `scheme://host:port` of `url`: what may be shown of an address that can hold a key."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return MASK
    if not host:
        return MASK
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port}" if port else f"{parts.scheme}://{shown}"


def cleaned(text: str) -> str:
    """Return `text` with every address in it reduced to what may be shown."""
    return ADDRESS.sub(lambda match: public_address(match.group(0)), text)


def _clean_value(name: str, value: Any) -> Any:
    if SECRET_FIELD.search(name):
        return MASK
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, BaseException):
        return cleaned(f"{type(value).__name__}: {value}")
    if isinstance(value, dict):
        return {str(key): _clean_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean_value(name, item) for item in value]
    return value


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON: at, level, room, event, then its fields."""
        document = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix(f"{ROOT_NAME}."),
            "event": cleaned(record.getMessage()),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            document["trace"] = cleaned(self.formatException(record.exc_info))
        return msgspec.json.encode(document, enc_hook=str).decode()


class ReadableLines(logging.Formatter):
    """One line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, room, event and `name=value` fields."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        room = record.name.removeprefix(f"{ROOT_NAME}.")
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, _FIELDS, {}).items())
        line = f"{at} {record.levelname.lower():7} {room:14} {cleaned(record.getMessage())} {fields}".rstrip()
        if record.exc_info:
            line += "\n" + cleaned(self.formatException(record.exc_info))
        return line


class Logger:
    """A logger whose messages are constant event names and whose facts are fields."""

    def __init__(self, room: str) -> None:
        self._logger = logging.getLogger(f"{ROOT_NAME}.{room}")

    def _write(self, level: int, event: str, fields: dict[str, Any], trace: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            clean = {name: _clean_value(name, value) for name, value in fields.items()}
            self._logger.log(level, event, extra={_FIELDS: clean}, exc_info=trace)

    def debug(self, event: str, **fields: Any) -> None:
        """Record a detail that only a developer wants."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Record something that is as it should be."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Record trouble that came from outside or mends itself."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Record a fault of the system."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Record a fault of the system with the trace of the exception being handled."""
        self._write(logging.ERROR, event, fields, trace=True)


def logger(room: str) -> Logger:
    """Return the structured logger of a room, e.g. `logger("ingest.rpc")`."""
    return Logger(room)


def configure(level: str = "INFO", *, stream: TextIO | None = None, json: bool | None = None) -> None:
    """Send the house's logs to `stream` (stderr): JSON lines unless it is a terminal or told otherwise."""
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if json is None else json
    handler = logging.StreamHandler(target)
    handler.setFormatter(JsonLines() if as_json else ReadableLines())
    root = logging.getLogger(ROOT_NAME)
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
