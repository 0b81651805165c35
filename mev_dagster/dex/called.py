"""What calls would have logged: for traces that have call frames and no logs.

Tokens, pools and markets say in an event what was called of them, so a call that succeeded tells the same:
its calldata, its answer, and the transfers inside it. Venues say how for their own functions
(`Venue.calls`). What leaves no call stays unseen: what a token takes of a transfer, what it mints or burns by
itself, and what a pool only wrote into its storage.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, encode_words, selector, word
from mev_dagster.dex.erc20 import DEPOSIT_TOPIC, TRANSFER_TOPIC, WITHDRAWAL_TOPIC
from mev_dagster.errors import DecodeError
from mev_dagster.evm.types import CallFrame

TRANSFER = selector("transfer(address,uint256)")
TRANSFER_FROM = selector("transferFrom(address,address,uint256)")
WITHDRAW = selector("withdraw(uint256)")

MOST_INSIDE = 256
"""Logs inside one call that its own log is read from, the last ones."""

_HOLDS_ITS_OWN = frozenset({"CALL", "CREATE", "CREATE2"})
"""What runs on its own storage; a delegate's call is told by the account it ran for."""


@dataclass(frozen=True, slots=True)
class MadeCall:
    """One call that stands, the logs of what it called, and what was paid to it since it last traded."""

    frame: CallFrame
    inside: Sequence[Log]
    received: Mapping[bytes, int]

    @property
    def arguments(self) -> bytes:
        """Return the calldata behind the selector."""
        return self.frame.input[4:]

    def moved(self, *, sender: bytes | None = None, recipient: bytes | None = None) -> Sequence[Log]:
        """Return the transfers inside it, by who gave or took."""
        return [
            log
            for log in self.inside
            if log.topics[0] == TRANSFER_TOPIC
            and len(log.topics) == 3
            and (sender is None or log.topics[1][12:] == sender)
            and (recipient is None or log.topics[2][12:] == recipient)
        ]


CallReader: TypeAlias = Callable[[MadeCall], Log | None]


def made_log(address_: bytes, topics: Sequence[bytes], values: Sequence[int | bytes]) -> Log:
    """Return a log; addresses as topics are padded, signed integers become words."""
    padded = tuple(one.rjust(32, b"\0") for one in topics)
    return Log(
        address_, padded, encode_words([v if isinstance(v, bytes) else v % (1 << 256) for v in values])
    )


@dataclass(slots=True)
class _Open:
    frame: CallFrame
    logs_before: int
    undone: bool


@dataclass(slots=True)
class _Teller:
    readers: Mapping[bytes, Sequence[CallReader]]
    wrapped_ether: bytes | None
    logs: list[Log] = field(default_factory=list)
    received: dict[bytes, dict[bytes, int]] = field(default_factory=dict)

    def close(self, one: _Open) -> None:
        frame = one.frame
        if one.undone or frame.kind not in _HOLDS_ITS_OWN:
            return
        try:
            log = self._of_a_token(frame) or self._of_a_venue(one)
        except DecodeError:
            return  # calldata is written by strangers
        if log is None:
            return
        self.logs.append(log)
        if log.topics[0] == TRANSFER_TOPIC:
            taken = self.received.setdefault(log.topics[2][12:], {})
            taken[log.address] = taken.get(log.address, 0) + int.from_bytes(log.data[:32], "big")

    def _of_a_token(self, frame: CallFrame) -> Log | None:
        called = frame.input[:4]
        if called == TRANSFER and _agreed(frame.output):
            ends = (frame.sender, address(frame.input[4:], 0))
            return made_log(frame.to, (TRANSFER_TOPIC, *ends), (word(frame.input[4:], 1),))
        if called == TRANSFER_FROM and _agreed(frame.output):
            ends = (address(frame.input[4:], 0), address(frame.input[4:], 1))
            return made_log(frame.to, (TRANSFER_TOPIC, *ends), (word(frame.input[4:], 2),))
        if frame.to == self.wrapped_ether:
            if frame.value_wei:
                return made_log(frame.to, (DEPOSIT_TOPIC, frame.sender), (frame.value_wei,))
            if called == WITHDRAW:
                return made_log(frame.to, (WITHDRAWAL_TOPIC, frame.sender), (word(frame.input[4:], 0),))
        return None

    def _of_a_venue(self, one: _Open) -> Log | None:
        for reader in self.readers.get(one.frame.input[:4], ()):
            start = max(one.logs_before, len(self.logs) - MOST_INSIDE)
            call = MadeCall(one.frame, self.logs[start:], self.received.get(one.frame.to, {}))
            log = reader(call)
            self.received.pop(one.frame.to, None)
            if log is not None:
                return log
        return None


def _agreed(output: bytes) -> bool:
    """Say whether a token answered true, or nothing as old ones do."""
    return not output or (len(output) >= 32 and any(output[:32]))


def logs_of_calls(
    frames: Sequence[CallFrame],
    readers: Mapping[bytes, Sequence[CallReader]],
    wrapped_ether: bytes | None,
) -> tuple[Log, ...]:
    """Return what the calls of a transaction would have logged; one that failed undoes those inside it."""
    teller, waiting = _Teller(readers, wrapped_ether), list[_Open]()
    for frame in frames:
        while waiting and waiting[-1].frame.depth >= frame.depth:
            teller.close(waiting.pop())
        above = waiting[-1].undone if waiting else False
        waiting.append(_Open(frame, len(teller.logs), above or bool(frame.error)))
    while waiting:
        teller.close(waiting.pop())
    return tuple(teller.logs)
