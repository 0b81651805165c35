"""What a node sends, read leniently: an odd envelope costs at most the one call it belongs to.

Providers write error codes as text, leave them out, answer ids as text, send batches nobody asked for and
heartbeats that are no JSON. What JSON-RPC 2.0 prescribes is read by the fast decoder, the rest by pieces.
"""

from typing import Any

import msgspec

from mev_dagster.errors import NodeAnswerError, NodeMethodMissing, NodeRateLimited

MAX_ERROR_CHARACTERS = 300  # a node's words go into logs and events; a node may send megabytes of them
UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError)

_METHOD_MISSING = -32601
_RATE_LIMITED = frozenset({-32005, 429})  # EIP-1474 "limit exceeded"; the HTTP status, as providers repeat it
_PATIENCE = ("rate limit", "rate-limit", "ratelimit", "too many requests", "limit exceeded", "throttl")


class RpcError(msgspec.Struct):
    """The `error` member of a JSON-RPC answer."""

    code: int | None = None
    message: str = ""


class Notification(msgspec.Struct):
    """The `params` member of an eth_subscription message."""

    subscription: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: RpcError | None = None


class NodeMessage(msgspec.Struct):
    """Anything a node sends: an answer (`id`) or a notification (`params`)."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: RpcError | None = None
    params: Notification | None = None


_decode_message = msgspec.json.Decoder(NodeMessage).decode
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_frame(data: bytes) -> tuple[list[NodeMessage], int]:
    """Return the messages of one frame, and how many pieces of it could not be read."""
    try:
        return [_decode_message(data)], 0
    except UNREADABLE:
        pass
    try:
        pieces = _decode_batch(data)
    except UNREADABLE:
        pieces = [msgspec.Raw(data)]
    messages = [message for piece in pieces if (message := _read_oddly(piece)) is not None]
    return messages, len(pieces) - len(messages)


def refusal(code: object, message: object, where: str = "") -> NodeAnswerError:
    """Return the error for a node's refusal, of the kind that says what asking again would bring."""
    number, text = _integer(code), shortened("" if message is None else str(message))
    shown = "" if code is None else shortened(str(code))
    words = f"{where}{shown} {text}".strip()
    lowered = text.lower()
    if number == _METHOD_MISSING:
        return NodeMethodMissing(words)
    if number in _RATE_LIMITED or any(sign in lowered for sign in _PATIENCE):
        return NodeRateLimited(words)
    return NodeAnswerError(words)


def shortened(text: str) -> str:
    """Return a node's words, cut to what a log line may hold."""
    return text if len(text) <= MAX_ERROR_CHARACTERS else text[:MAX_ERROR_CHARACTERS] + "..."


def _read_oddly(piece: msgspec.Raw) -> NodeMessage | None:
    try:
        fields = _decode_fields(piece)
    except UNREADABLE:
        return None
    if not fields.keys() & {"id", "params"}:
        return None
    return NodeMessage(
        id=_integer(_value(fields.get("id"))),
        result=fields.get("result", msgspec.Raw(b"null")),
        error=_error(_value(fields.get("error"))),
        params=_notification(fields.get("params")),
    )


def _notification(raw: msgspec.Raw | None) -> Notification | None:
    if raw is None:
        return None
    try:
        fields = _decode_fields(raw)
    except UNREADABLE:
        return None
    return Notification(
        subscription=str(_value(fields.get("subscription"))),
        result=fields.get("result", msgspec.Raw(b"null")),
        error=_error(_value(fields.get("error"))),
    )


def _error(value: object) -> RpcError | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return RpcError(None, shortened(str(value)))
    code, message = value.get("code"), value.get("message")
    number = _integer(code)
    said = "" if message is None else str(message)
    return RpcError(number, said if number is not None or code is None else f"{code}: {said}")


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return value
    if len(value) > 20:
        return None
    try:
        return int(value, 0)
    except ValueError:
        return None


def plain(result: msgspec.Raw, *, address: str, method: str) -> Any:
    """Return a call's result as plain Python values; raises `NodeAnswerError` where it cannot be read."""
    try:
        return msgspec.json.decode(result)
    except UNREADABLE as error:
        raise NodeAnswerError(f"{address} answered {method} unreadably: {error}") from error


def _value(raw: msgspec.Raw | None) -> object:
    if raw is None:
        return None
    try:
        value: object = msgspec.json.decode(raw)
    except UNREADABLE:
        return None
    return value
