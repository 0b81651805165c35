"""What a relay's answer means: by its status, and by its text as the relays themselves word it.

The texts are those of mev-boost-relay 7781f99, helix 755a07b and the relays that grew out of them
(ultrasound's has mev-boost-relay's words). helix answers in plain text where the specification has JSON, and
prints the names of its error values.
"""

import re
from enum import StrEnum
from typing import Any

from mev_dagster.errors import DecodeError
from mev_dagster.pbs import codec_json
from mev_dagster.pbs.types import ConsensusFork


class AnswerClass(StrEnum):
    """The classes of a relay's answer."""

    ACCEPTED = "accepted"
    ACCEPTED_SKIPPED = "accepted_skipped"
    NOT_YET = "not_yet"
    TRANSIENT = "transient"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    TERMINAL_SLOT = "terminal_slot"
    TERMINAL_BLOCK = "terminal_block"
    REFUSED = "refused"
    UNKNOWN = "unknown"


TRANSIENT_STATUSES = frozenset({408, 425, 502, 503, 504, 521, 522, 523, 524})
"""The last four are a proxy's that did not reach the relay behind it."""
REFUSED_STATUSES = frozenset({401, 403, 404, 405, 406, 407, 410, 415, 421, 451})
"""It does not take such a request of us at all, whatever block it carries."""
TOO_LARGE_STATUSES = frozenset({413})
MESSAGE_FIELDS = ("message", "error", "errors", "detail", "details", "reason", "title", "msg")
DEEPEST_MESSAGE = 4
MOST_MESSAGES = 8
MOST_OF_A_PAGE = 4_096
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)

# In the order they are looked for, in lower case: a failed simulation names its cause, and the cause decides.
_TEXTS: tuple[tuple[AnswerClass, tuple[str, ...]], ...] = (
    (
        AnswerClass.NOT_YET,
        ("payload attributes not (yet) known", "payload attributes not yet known", "unknown parent hash"),
    ),
    (
        AnswerClass.TRANSIENT,
        (
            "read tcp",
            "request timeout",
            "unknown ancestor",
            "parent block not found",
            "missing trie node",
            "block requires a reorg",
            "validation request timeout",
            "no simulator available",
            "simulation dropped",
            "block simulation: timeout",
            "block simulation: rpcerror",
            "block simulation: senderror",
            "block simulation: nosimulatoravailable",
            "block simulation: simulationdropped",
        ),
    ),
    (
        AnswerClass.TERMINAL_SLOT,
        (
            "past slot",
            "already delivered",
            "delivering payload",
            "already using a newer payload",
            "already processing newer payload",
            "out of sequence submission",
            "already on next slot",
            "block is too old",
            "could not find slot duty",
            "could not find proposer duty",
            "block already known",
            "slot is too old",
            "request for past slot",
            "sent too late",
            "trusted list",
        ),
    ),
    (
        AnswerClass.TERMINAL_BLOCK,
        (
            "simulation failed",
            "block simulation:",
            "block validation failed",
            "mismatch",
            "invalid signature",
            "signature: invalid",
            "failed verifying builder signature",
            "fee recipient does not match",
            "incorrect timestamp",
            "incorrect prev_randao",
            "incorrect withdrawals root",
            "invalid tx root",
            "zero value block",
            "cannot hydrate",
            "hydration:",
            "decode error",
            "failed to decode payload",
            *(f"not {fork.version} payload" for fork in ConsensusFork),
            "cancellations are disabled",
            "hydration miss",
            "transactions root mismatch",
            "ssz_error",
            "doesn't match registration",
            "request body too large",
            "unsupported payload version",
            "no withdrawals",
        ),
    ),
)
_WRONG_SLOT = re.compile(r"submission for wrong slot\. expected: (\d{1,20}), got: (\d{1,20})")


def message_of(body: bytes) -> str:
    """Return what a relay says, whether as JSON object, JSON string or plain text; of a page its title."""
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        document = codec_json.loads(text.encode())
    except DecodeError:
        return _title_of(text) if text.startswith("<") else text
    if document is None:
        return ""
    return _said(document) if isinstance(document, dict | list | str) else text


def _said(document: Any, depth: int = 0) -> str:
    """Return the sentence in an answer: frameworks call it otherwise, and nest it."""
    if isinstance(document, str):
        return document
    if depth < DEEPEST_MESSAGE and isinstance(document, list):
        return "; ".join(filter(None, (_said(item, depth + 1) for item in document[:MOST_MESSAGES])))
    if depth < DEEPEST_MESSAGE and isinstance(document, dict):
        found = (_said(document[name], depth + 1) for name in MESSAGE_FIELDS if name in document)
        return next(filter(None, found), "")
    return ""


def _title_of(page: str) -> str:
    """Return the title of an HTML page, which proxies put their reason in; else its text's beginning."""
    found = _TITLE.search(page[:MOST_OF_A_PAGE])
    return " ".join(found[1].split()) if found else page


def classify(status: int, body: bytes) -> AnswerClass:
    """Return the class of an answer with this status and body.

    A page in place of a 2xx is a proxy's word, not the relay's.
    """
    message = message_of(body)
    if 200 <= status < 300 and body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return AnswerClass.UNKNOWN
    if status == 202:
        return AnswerClass.ACCEPTED_SKIPPED
    if 200 <= status < 300:
        if message == "":
            return AnswerClass.ACCEPTED
        return _of_text(message.lower()) or AnswerClass.UNKNOWN
    if status == 429 or status in REFUSED_STATUSES or 300 <= status < 400:
        return _of_status(status)
    return _of_text(message.lower()) or _of_status(status)


def _of_text(message: str) -> AnswerClass | None:
    wrong_slot = _WRONG_SLOT.search(message)
    if wrong_slot is not None:
        expected, found = map(int, wrong_slot.groups())
        return AnswerClass.NOT_YET if found > expected else AnswerClass.TERMINAL_SLOT
    for outcome, texts in _TEXTS:
        if any(text in message for text in texts):
            return outcome
    return None


def _of_status(status: int) -> AnswerClass:
    if status == 429:
        return AnswerClass.RATE_LIMITED
    if status in REFUSED_STATUSES or 300 <= status < 400:
        return AnswerClass.REFUSED
    if status in TOO_LARGE_STATUSES:
        return AnswerClass.TERMINAL_BLOCK
    if status in TRANSIENT_STATUSES:
        return AnswerClass.TRANSIENT
    return AnswerClass.SERVER_ERROR if status >= 500 else AnswerClass.UNKNOWN
