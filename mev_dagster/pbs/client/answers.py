"""What a relay's answer means: by its status, and by its text as the relays themselves word it.

The texts are those of mev-boost-relay 7781f99, helix 755a07b and the relays that grew out of them. helix
answers in plain text where the specification has JSON, and prints the names of its error values.
"""

import re
from enum import StrEnum

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


TRANSIENT_STATUSES = frozenset({408, 502, 503, 504})
REFUSED_STATUSES = frozenset({401, 403})

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
        ),
    ),
)
_WRONG_SLOT = re.compile(r"submission for wrong slot\. expected: (\d{1,20}), got: (\d{1,20})")


def message_of(body: bytes) -> str:
    """Return what a relay says, whether as JSON object, JSON string or plain text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = codec_json.loads(text.encode())
    except DecodeError:
        return text
    if isinstance(document, dict):
        return str(document.get("message", "")) if document else ""
    return document if isinstance(document, str) else text


def classify(status: int, body: bytes) -> AnswerClass:
    """Return the class of an answer with this status and body."""
    message = message_of(body)
    if status == 200:
        return AnswerClass.ACCEPTED if message == "" else AnswerClass.UNKNOWN
    if status == 202:
        return AnswerClass.ACCEPTED_SKIPPED
    if status == 429:
        return AnswerClass.RATE_LIMITED
    if 300 <= status < 400 or status in REFUSED_STATUSES:
        return AnswerClass.REFUSED
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
    if status in TRANSIENT_STATUSES:
        return AnswerClass.TRANSIENT
    return AnswerClass.SERVER_ERROR if status >= 500 else AnswerClass.UNKNOWN
