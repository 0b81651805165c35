"""ClickHouse's HTTP interface as pure functions: what a request asks for, what an answer looks like.

Nothing here opens a socket or the engine, so every rule of the interface can be tested with bytes.
"""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP as HTTP_POLICY
from enum import IntEnum

EXCEPTION_CODE_HEADER = "X-ClickHouse-Exception-Code"
EXCEPTION_TAG_HEADER = "X-ClickHouse-Exception-Tag"

_TRANSPORT_PARAMETERS = frozenset(
    {
        "add_http_cors_header",
        "buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
_NAME = r'(?:`(?:[^`\\]|\\.)+`|"(?:[^"\\]|\\.)+"|[A-Za-z_][A-Za-z0-9_]*)'
_PATH = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
# No part can match what the part after it begins with, so a refused statement costs no more than a few
# passes. Possessive quantifiers would say so, but early releases of Python 3.11 match them wrongly.
_INSERT_HEAD = re.compile(
    rf"\s*(?P<into>INSERT\s+INTO\s+(?:TABLE\s+)?{_PATH}(?:\s*\(\s*{_PATH}(?:\s*,\s*{_PATH})*\s*\))?)"
    r"\s*(?P<settings>SETTINGS\s(?:(?!\bFORMAT\s)[^;'()]|'[^']*')*)?FORMAT\s+(?P<format>[A-Za-z]\w*)"
    r"[ \t\f]*;?[ \t\f]*(?:\r?\n)?",
    re.IGNORECASE | re.DOTALL,
)
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*\(*\s*([A-Za-z]+)", re.DOTALL)
_TRAILING_FORMAT = re.compile(r"\bFORMAT\s+([A-Za-z]\w*)\s*;?\s*(?:SETTINGS\s[^;]*)?;?\s*$", re.IGNORECASE)
_TAIL_CHARACTERS = 4096
_ERROR_CODE = re.compile(r"Code: (\d+)")
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESULT_STATEMENTS = frozenset(
    {"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "VALUES"}
)
_STREAMED_STATEMENTS = frozenset({"SELECT", "WITH"})
# Formats whose blocks may be concatenated; the others have a head or a foot and come as one piece.
_STREAMED_FORMATS = frozenset({"Native", "TabSeparated", "TSV", "CSV", "RowBinary", "JSONEachRow"})


class Code(IntEnum):
    """ClickHouse's numbers of the errors this server raises itself."""

    BAD_ARGUMENTS = 36
    NOT_IMPLEMENTED = 48
    SYNTAX_ERROR = 62
    TIMEOUT_EXCEEDED = 159
    UNKNOWN_SETTING = 115
    REQUIRED_PASSWORD = 194
    TOO_MANY_SIMULTANEOUS_QUERIES = 202
    CANNOT_DECOMPRESS = 271
    TOO_MANY_BYTES = 307
    SESSION_NOT_FOUND = 372
    SESSION_IS_LOCKED = 373
    AUTHENTICATION_FAILED = 516
    LIMIT_EXCEEDED = 290


_HTTP_STATUS = {
    400: (6, 26, 27, 33, 36, 38, 41, 42, 43, 53, 62, 72, 117, 271, 372, 373, 386, 457),
    403: (192, 193, 194, 497, 516),
    404: (16, 46, 47, 50, 56, 60, 81, 115),
    408: (159,),
    413: (307,),
    501: (48,),
    503: (202, 209, 439),
}
_STATUS_OF_CODE = {code: status for status, codes in _HTTP_STATUS.items() for code in codes}


class QueryError(Exception):
    """A refusal with ClickHouse's code; `message` is what the client sees."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code
        self.message = message

    @classmethod
    def of_engine(cls, text: str) -> "QueryError":
        """Take the code and message out of the engine's error text."""
        start = text.find("Code: ")
        text = text[start:] if start >= 0 else text
        match = _ERROR_CODE.match(text)
        return cls(int(match[1]) if match else 1, text.strip())

    @property
    def http_status(self) -> int:
        """HTTP status ClickHouse answers this code with."""
        return _STATUS_OF_CODE.get(self.code, 500)

    def body(self, version: str) -> str:
        """Return the text of the answer."""
        message = self.message
        if not message.startswith("Code: "):
            name = Code(self.code).name if self.code in set(Code) else "UNKNOWN_EXCEPTION"
            message = f"Code: {self.code}. DB::Exception: {message}. ({name})"
        suffix = f"(version {version})"
        return message if suffix in message else f"{message} {suffix}"


@dataclass(frozen=True, slots=True)
class Call:
    """What the URL (or form) of a request says, before its body."""

    sql: str
    database: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    bound: Mapping[str, str] = field(default_factory=dict)
    session_id: str | None = None
    session_check: bool = False
    default_format: str = "TabSeparated"


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An INSERT that carries its rows behind the statement."""

    into: str
    settings: str
    format: str
    length: int


def parse_call(parameters: Sequence[tuple[str, str]], *, read_only: bool) -> Call:
    """Sort URL or form parameters into statement, binds, settings and session."""
    values = dict(parameters)
    settings = {
        name: value
        for name, value in parameters
        if name not in _TRANSPORT_PARAMETERS
        and not name.startswith("param_")
        and not (read_only and name == "readonly")
    }
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):
            raise QueryError(Code.UNKNOWN_SETTING, f"Unknown setting {name!r}")
    if values.get("decompress") == "1":
        raise QueryError(
            Code.NOT_IMPLEMENTED, "ClickHouse's block compression is not read here; use Content-Encoding"
        )
    if read_only:
        if "session_id" in values:
            raise QueryError(Code.NOT_IMPLEMENTED, "A session is served by POST only")
        settings["readonly"] = "2"  # last, because nothing can be set after it
    return Call(
        sql=values.get("query", ""),
        database=values.get("database") or None,
        settings=settings,
        bound={name[6:]: value for name, value in parameters if name.startswith("param_")},
        session_id=values.get("session_id") or None,
        session_check=values.get("session_check") == "1",
        default_format=values.get("default_format") or "TabSeparated",
    )


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str] | None:
    """Return (user, secret) of a request; a bearer token has the empty user; None when there is nothing."""
    authorization = headers.get("authorization", "")
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return "", value.strip()
    if scheme.lower() == "basic":
        try:
            user, _, secret = b64decode(value, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            return "", ""
        return user, secret
    if "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", "default"), headers["x-clickhouse-key"]
    if "password" in parameters:
        return parameters.get("user", "default"), parameters["password"]
    return None


def insert_head(text: str) -> InsertHead | None:
    """Recognise `INSERT INTO t (a, b) [SETTINGS ...] FORMAT F` at the start of a statement."""
    match = _INSERT_HEAD.match(text)
    if match is None or match["format"].upper() == "VALUES":
        return None
    return InsertHead(match["into"], match["settings"] or "", match["format"], match.end())


def returns_rows(sql: str) -> bool:
    """Say whether a statement answers with a result set."""
    return _first_word(sql) in _RESULT_STATEMENTS


def streams(sql: str, kind: str) -> bool:
    """Say whether a statement's result may be sent block by block in format `kind`."""
    return kind in _STREAMED_FORMATS and _first_word(sql) in _STREAMED_STATEMENTS


def _first_word(sql: str) -> str:
    match = _FIRST_WORD.match(sql)
    return match[1].upper() if match else ""


def result_format(sql: str, default: str) -> str:
    """Return the format a statement asks its result in."""
    match = _TRAILING_FORMAT.search(sql, max(0, len(sql) - _TAIL_CHARACTERS))
    return match[1] if match else default


def summary(read_rows: int, read_bytes: int, written_rows: int, written_bytes: int, elapsed_ns: int) -> str:
    """Return the X-ClickHouse-Summary header: JSON with numbers as strings, as ClickHouse writes it."""
    return json.dumps(
        {
            "read_rows": str(read_rows),
            "read_bytes": str(read_bytes),
            "written_rows": str(written_rows),
            "written_bytes": str(written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(written_rows),
            "result_bytes": str(written_bytes),
            "elapsed_ns": str(elapsed_ns),
        },
        separators=(",", ":"),
    )


def late_error(tag: str, message: str) -> bytes:
    """Return the block that marks a failure after the answer has begun; `tag` went out in its headers."""
    text = message.encode() + b"\n"
    return b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (
        tag.encode(),
        text,
        len(text),
        tag.encode(),
    )


def parse_form(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Read a multipart form of plain fields; files (external tables) are refused."""
    message = BytesParser(policy=HTTP_POLICY).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + body
    )
    if not message.is_multipart():
        raise QueryError(Code.BAD_ARGUMENTS, "Cannot read the multipart form")
    fields = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(payload, bytes):
            raise QueryError(Code.BAD_ARGUMENTS, "A form field has no name")
        if part.get_filename() is not None:
            raise QueryError(Code.NOT_IMPLEMENTED, "External tables are not supported by the embedded store")
        fields.append((name, payload.decode()))
    return fields
