"""The one error hierarchy.

Every failure that a user or a peer can cause is a `MevError` with a stable `code`; its message says
what was expected, what was found and where. Anything else that escapes is a fault of this program.
`exit_status` is what the `mev` command ends with: 1 a check or job failed, 2 bad usage or bad input.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class MevError(Exception):
    """Base of every expected failure."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1


class InputError(MevError):
    """Something handed in from outside (file, flag, setting) cannot be used."""

    code = "bad_input"
    exit_status = 2


class DecodeError(InputError):
    """Bytes that are not what the protocol says they should be; `reason` is a stable short code."""

    code = "undecodable"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class InvalidBlock(InputError):
    """A block, or a header, that its network would not accept."""

    code = "invalid_block"


class InvalidTransaction(DecodeError):
    """A well-formed transaction that no block of the fork in question may hold."""

    code = "invalid_transaction"


class ProtocolViolation(DecodeError):
    """A peer did what its protocol forbids; `reason` is a stable short code for metrics."""

    code = "protocol_violation"


class PeerUnreachable(MevError):
    """A devp2p peer could not be dialled, or ended the conversation before it had begun."""

    code = "peer_unreachable"


class CaptureError(InputError):
    """A capture is truncated, altered, or of an unknown format version."""

    code = "bad_capture"


class ImportRefused(MevError):
    """Everything an import was given had to be refused; nothing was made."""

    code = "import_refused"


class LogCorrupt(InputError):
    """An event log's bytes disagree with its digests."""

    code = "log_corrupt"


class LogLocked(MevError):
    """Another process is writing this event log."""

    code = "log_locked"


class LogWriteFailed(MevError):
    """The disk refused a write or a sync. Nothing after the last acknowledged event counts as written."""

    code = "log_write_failed"


class UnsupportedFork(MevError):
    """The block belongs to a fork that no engine here implements."""

    code = "unsupported_fork"
    exit_status = 2


class MissingState(MevError):
    """Execution needed an account, slot, code or block hash that the prestate does not hold.

    Never answered with zero: `what` is one of account, storage, code, block_hash, and `key` names it.
    """

    code = "missing_state"

    def __init__(self, what: str, key: str) -> None:
        super().__init__(f"prestate holds no {what} {key}")
        self.what = what
        self.key = key


class Unreachable(MevError):
    """A service did not answer; which one is said by the kinds below."""

    code = "unreachable"


class NodeUnreachable(Unreachable):
    """An execution node did not answer, or was lost."""


class NodeTimeout(NodeUnreachable):
    """One call to a node got no answer in time; its connection may be well."""


class StoreUnreachable(Unreachable):
    """No store answers."""


class RelayUnreachable(Unreachable):
    """A relay did not answer in time."""


class NoProposer(RelayUnreachable):
    """No relay names the proposer of a slot, so no block can be built for one."""

    code = "no_proposer"


class DnsUnreachable(Unreachable):
    """No name server answered, or none knows the name."""


class DaemonUnreachable(Unreachable):
    """The ingest daemon did not answer."""


class PlatformUnreachable(Unreachable):
    """A process that `mev` started, or the web server, did not come up or does not answer."""


class NodeAnswerError(MevError):
    """A node answered with an error or with something that is not what was asked."""

    code = "bad_answer"


class NodeRateLimited(NodeAnswerError):
    """A node asks for patience: the same call may be answered later, after so long where it says so."""

    code = "rate_limited"
    retry_after_seconds: float | None = None


class NodeMethodMissing(NodeAnswerError):
    """A node does not have a method; asking again is of no use."""

    code = "method_missing"


class WrongChain(MevError):
    """A node is on another chain than the log it would write to."""

    code = "wrong_chain"


class QueueFull(MevError):
    """A bounded queue refused an item; the refusal has been counted."""

    code = "queue_full"


class WorkerDied(MevError):
    """A helper process of ours ended in the middle of its work, and its replacement did too."""

    code = "worker_died"


class PortInUse(MevError):
    """Another process listens on the port a service was told to use."""

    code = "port_in_use"
    exit_status = 2


class Superseded(MevError):
    """A reorg replaced the block while it was worked on; the new block's run replaces its rows."""

    code = "superseded"


class OtherCode(MevError):
    """A run was asked of other code than this process has loaded."""

    code = "other_code"


class StepMissing(MevError):
    """A step of a block's run starts from rows that no earlier step has stored; the message says which."""

    code = "step_missing"


class StoreError(MevError):
    """The store refused a statement; the message carries ClickHouse's own code and text."""

    code = "store_error"


class StoreOfAnotherChain(WrongChain, StoreError):
    """A store holds another chain than the log whose rows it is to take."""


class RelayRefused(MevError):
    """A transport or signing guard refused to talk to, or sign for, something that is not the sandbox."""

    code = "relay_refused"


class Unquotable(MevError):
    """A pool cannot say what a trade gives: its contract refuses, or it is of a kind that is not traded."""

    code = "unquotable"


class PluginFailed(MevError):
    """A plug-in cannot be used, or failed in a block; `reason` is a stable short code for metrics."""

    code = "plugin_failed"

    def __init__(self, kind: str, name: str, package: str, reason: str, detail: str) -> None:
        super().__init__(f"plug-in {name!r} of {kind} ({package}) is left out: {reason}: {detail}")
        self.kind = kind
        self.name = name
        self.package = package
        self.reason = reason
        self.detail = detail
        self.noted = False


@contextmanager
def plain_refusals() -> Iterator[None]:
    """End the process with one line and the failure's status, where it is one that is expected."""
    try:
        yield
    except MevError as error:
        print(f"mev: {error.code}: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_status)
