"""Structured logs: one JSON object a line for machines, one readable line on a terminal; never a secret.

    log = logger("ingest.rpc")
    log.info("connected", source="127.0.0.1:8545", client="anvil/v1.7.1")

Level `error` always means a fault of the system, never of its input. Values are cleaned on the way out:
fields named like a secret are masked and addresses keep only scheme, host and port, since providers put
API keys in the path. structlog does the rest, over the standard library's loggers and without its own global
configuration: whoever imports us keeps theirs.
"""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import urlsplit

import msgspec
import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter, filter_by_level
from structlog.typing import EventDict

from mev_dagster.hexadecimal import to_hex

ROOT_NAME = "mev"
SECRET_FIELD = re.compile(r"password|secret|token|api_?key|private_?key|authorization|cookie|mnemonic", re.I)
ADDRESS = re.compile(r"\b(?:https?|wss?|enode|postgres(?:ql)?|clickhouse)://[^\s'\"<>]+", re.I)
MASK = "***"


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
    return ADDRESS.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    """Return what may be shown of an address in a sentence, whose punctuation is no part of it."""
    address = match.group(0).rstrip(".,:;!?)")
    return public_address(address) + match.group(0)[len(address) :]


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


def _cleaned_fields(_: Any, __: str, document: EventDict) -> EventDict:
    """Clean what is told, and turn the exception being handled into text."""
    told = document.pop("exc_info", None)
    clean = {name: _clean_value(name, value) for name, value in document.items()}
    clean["event"] = cleaned(str(document["event"]))
    if told:
        clean["trace"] = cleaned("".join(traceback.format_exception(sys.exception())).rstrip())
    return clean


def _headed(_: Any, __: str, document: EventDict) -> EventDict:
    """Put at, level, room and event in front of the fields."""
    record: logging.LogRecord = document.pop("_record")
    del document["_from_structlog"]
    return {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
        "level": record.levelname.lower(),
        "room": record.name.removeprefix(f"{ROOT_NAME}."),
        "event": document.pop("event", record.getMessage()),
        **document,
    }


def _json_line(_: Any, __: str, document: EventDict) -> str:
    return msgspec.json.encode(document, enc_hook=str).decode()


def _readable_line(_: Any, __: str, document: EventDict) -> str:
    """Return time, level, room, event and `name=value` fields."""
    at, level, room = document.pop("at"), document.pop("level"), document.pop("room")
    event, trace = document.pop("event"), document.pop("trace", None)
    fields = " ".join(f"{name}={value}" for name, value in document.items())
    time = datetime.fromisoformat(at).strftime("%H:%M:%S.%f")[:-3]
    line = f"{time} {level:7} {room:14} {event} {fields}".rstrip()
    return line if trace is None else f"{line}\n{trace}"


def logger(room: str) -> BoundLogger:
    """Return the structured logger of a room, e.g. `logger("ingest.rpc")`."""
    wrapped: BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{ROOT_NAME}.{room}"),
        processors=[filter_by_level, _cleaned_fields, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=BoundLogger,
    )
    return wrapped


def configure(level: str = "INFO", *, stream: TextIO | None = None, json: bool | None = None) -> None:
    """Send the house's logs to `stream` (stderr): JSON lines unless it is a terminal or told otherwise."""
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if json is None else json
    handler = logging.StreamHandler(target)
    line = _json_line if as_json else _readable_line
    handler.setFormatter(ProcessorFormatter(processors=[_headed, line]))
    root = logging.getLogger(ROOT_NAME)
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
