"""The JSON forms of the builder and relay APIs, driven by the same schema as SSZ.

Integers are decimal strings, bytes are 0x-hex, both checked exactly. Unknown fields are ignored, as every
relay does; a missing or malformed one is named by its path.
"""

import json
import re
from binascii import unhexlify
from collections import Counter
from typing import Any

import msgspec

from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.ssz import (
    Bitlist,
    Bitvector,
    ByteList,
    ByteVector,
    Container,
    List,
    SszType,
    Uint,
    Vector,
)

DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,77})\Z")
SHOWN_CHARACTERS = 40
MAX_DEPTH = 500
KEY = re.compile(rb'"[ \t\r\n]*:')
"""Where a field's name ends; inside a string it may stand too, and then the document is looked at closely."""
BRACKET_OR_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)


def loads(document: bytes) -> Any:
    """Parse a JSON document of bounded depth."""
    _limit_depth(document)
    try:
        return msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("json_syntax", str(error)) from error


def loads_unambiguous(document: bytes) -> Any:
    """Parse a JSON document in which no object names a field twice.

    Of a field that stands twice one reader takes the first and another the last: what was signed for one of
    them would be judged for the other.
    """
    parsed = loads(document)
    if len(KEY.findall(document)) != _keys_in(parsed):
        json.loads(document, object_pairs_hook=_once_each, parse_int=str)
    return parsed


def _keys_in(parsed: Any) -> int:
    if isinstance(parsed, dict):
        return len(parsed) + sum(map(_keys_in, parsed.values()))
    return sum(map(_keys_in, parsed)) if isinstance(parsed, list) else 0


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise DecodeError("duplicate_field", f"{twice[:SHOWN_CHARACTERS]!r} stands twice in one object")
    return found


def _limit_depth(document: bytes) -> None:
    """Refuse deep nesting before the parser recurses into it.

    The parser relies on the interpreter's recursion limit, which importing py-evm raises past what the C
    stack holds: 100,000 brackets would end the process. Few documents have enough brackets to look closer.
    """
    if document.count(b"[") + document.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for token in BRACKET_OR_STRING.finditer(document):
        first = document[token.start()]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MAX_DEPTH:
            raise DecodeError("json_syntax", f"nested deeper than {MAX_DEPTH}")


def dumps(document: Any) -> bytes:
    """Write a JSON document made by `to_json`."""
    return msgspec.json.encode(document)


def from_json(kind: SszType, value: Any, path: str = "") -> Any:
    """Return the typed value that `value` (parsed JSON) stands for; errors name the path of the field."""
    if isinstance(kind, Uint):
        return _uint(kind, value, path)
    if isinstance(kind, List | Vector):
        if not isinstance(value, list):
            raise _wrong(path, "an array", value)
        limit = kind.limit if isinstance(kind, List) else kind.length
        if len(value) > limit or (isinstance(kind, Vector) and len(value) != limit):
            raise DecodeError("json_length", f"{path}: at most {limit} elements, got {len(value)}")
        return tuple(from_json(kind.element, item, f"{path}[{at}]") for at, item in enumerate(value))
    if isinstance(kind, Container):
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        values = dict(kind.constants)
        for item in kind.fields:
            where = f"{path}.{item.name}" if path else item.name
            if item.name not in value:
                raise DecodeError("missing_field", where)
            values[item.holder] = from_json(item.type, value[item.name], where)
        return kind.cls(**values)
    return _bytes(kind, value, path)


def to_json(kind: SszType, value: Any) -> Any:
    """Return the JSON form of a typed value, ready for `json.dumps`."""
    if isinstance(kind, Uint):
        return str(value)
    if isinstance(kind, List | Vector):
        return [to_json(kind.element, item) for item in value]
    if isinstance(kind, Container):
        kind.check(value)
        return {item.name: to_json(item.type, getattr(value, item.holder)) for item in kind.fields}
    return to_hex(value)


def _uint(kind: Uint, value: Any, path: str) -> int:
    if not isinstance(value, str) or not DECIMAL.match(value):
        raise _wrong(path, "a decimal string", value)
    number = int(value)
    if number.bit_length() > kind.fixed_bytes * 8:
        raise DecodeError("json_range", f"{path}: does not fit {kind.fixed_bytes * 8} bits")
    return number


def _bytes(kind: SszType, value: Any, path: str) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise _wrong(path, "0x-hex", value)
    try:
        data = unhexlify(value[2:])
    except ValueError as error:
        raise _wrong(path, "0x-hex", value) from error
    if isinstance(kind, ByteVector) and len(data) != kind.fixed_bytes:
        raise DecodeError("json_length", f"{path}: {kind.fixed_bytes} bytes, got {len(data)}")
    if isinstance(kind, ByteList) and len(data) > kind.limit:
        raise DecodeError("json_length", f"{path}: at most {kind.limit} bytes, got {len(data)}")
    if isinstance(kind, Bitlist | Bitvector):
        kind.decode(memoryview(data), path)
    return data


def _wrong(path: str, expected: str, value: Any) -> DecodeError:
    shown = repr(value)
    if len(shown) > SHOWN_CHARACTERS:
        shown = shown[:SHOWN_CHARACTERS] + "..."
    return DecodeError("json_type", f"{path or 'document'}: expected {expected}, found {shown}")
