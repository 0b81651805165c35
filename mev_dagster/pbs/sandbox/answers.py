"""What the relay answers: status and body, and why, as a stable code."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SubmissionAnswer:
    """An HTTP answer to a submission. A 200 with a code other than `ok` is a silent drop."""

    status: int
    code: str
    body: bytes = b""

    @property
    def accepted(self) -> bool:
        """Whether the bid is stored."""
        return self.status == 200 and self.code == "ok"

    @property
    def message(self) -> str:
        """The text of the answer."""
        try:
            document = json.loads(self.body) if self.body else ""
        except ValueError:
            return self.body.decode("utf-8", "replace")
        return str(document.get("message", "")) if isinstance(document, dict) else str(document)


ACCEPTED = SubmissionAnswer(200, "ok")


def refusal(code: str, message: str, status: int = 400) -> SubmissionAnswer:
    """Return the error body every relay of this family uses."""
    document = {"code": status, "message": message}
    return SubmissionAnswer(status, code, json.dumps(document, separators=(",", ":")).encode())


def dropped(code: str) -> SubmissionAnswer:
    """Return the empty 200 that tells a builder nothing."""
    return SubmissionAnswer(200, code)
