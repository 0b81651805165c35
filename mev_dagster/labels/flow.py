"""Token flow: what moved between which accounts in a transaction, and who holds more afterwards.

Events of pools are not asked: anyone may emit them. What counts is what tokens say of themselves and, where
the calls of the transaction are known, the ether they carried. Everything here is linear in what moved.

An actor is a set of accounts: the signer, the contract it called, and whoever only paid for them or only
kept what they earned. Profit is what those accounts hold more afterwards, counted inside the circle that
value went around: what merely came in or went out (a claim, a fee, a payment to the builder) is no trade.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word
from mev_dagster.dex.erc20 import DEPOSIT_TOPIC, TRANSFER_TOPIC, WITHDRAWAL_TOPIC
from mev_dagster.evm.types import CallFrame
from mev_dagster.labels.value import Amounts

ETHER_AS_TOKEN = bytes(20)
"""Stands for ether where no token of the block wraps it; elsewhere ether counts as its wrapped form."""

NOBODY = bytes(20)
"""Tokens are minted from it and burned to it."""

LEFTOVER_PARTS = 10_000
"""Less than one part in so many of what was traded of a token is a leftover: neither gained nor lost."""

_OF_A_TOKEN = frozenset(
    {TRANSFER_TOPIC, DEPOSIT_TOPIC, WITHDRAWAL_TOPIC, topic("Approval(address,address,uint256)")}
)
_CARRIES_NO_ETHER = frozenset({"DELEGATECALL", "CALLCODE", "STATICCALL"})

Balances: TypeAlias = Mapping[bytes, Mapping[bytes, int]]


class Movement(NamedTuple):
    """`amount` of `token` from one account to another."""

    token: bytes
    sender: bytes
    recipient: bytes
    amount: int


def movements_of(
    logs: Sequence[Log], frames: Sequence[CallFrame] = (), wrapped_ether: bytes | None = None
) -> tuple[Movement, ...]:
    """Return what moved, ether as its wrapped form. Wrapping and unwrapping change nothing for the holder."""
    return (*_tokens_moved(logs), *_ether_moved(frames, wrapped_ether))


def _tokens_moved(logs: Sequence[Log]) -> Iterable[Movement]:
    for log in logs:
        if len(log.topics) == 3 and log.topics[0] == TRANSFER_TOPIC and len(log.data) == 32:
            sender, recipient = log.topics[1][12:], log.topics[2][12:]
            if sender != recipient:
                yield Movement(log.address, sender, recipient, word(log.data, 0))


def _ether_moved(frames: Sequence[CallFrame], wrapped_ether: bytes | None) -> Iterable[Movement]:
    failed_at: int | None = None
    for frame in frames:
        if failed_at is not None and frame.depth > failed_at:
            continue  # undone with the call that made it
        failed_at = frame.depth if frame.error else None
        ends = {frame.sender, frame.to}
        if frame.error or frame.value_wei == 0 or frame.kind in _CARRIES_NO_ETHER or len(ends) == 1:
            continue
        if wrapped_ether not in ends:
            yield Movement(wrapped_ether or ETHER_AS_TOKEN, frame.sender, frame.to, frame.value_wei)


def balances(movements: Iterable[Movement]) -> dict[bytes, dict[bytes, int]]:
    """Return what each account holds more or less of each token afterwards; nothing where it is the same."""
    found: dict[bytes, dict[bytes, int]] = {}
    for token, sender, recipient, amount in movements:
        for holder, change in ((sender, -amount), (recipient, amount)):
            own = found.setdefault(holder, {})
            own[token] = own.get(token, 0) + change
    return {holder: {t: change for t, change in own.items() if change} for holder, own in found.items()}


def speakers(logs: Iterable[Log]) -> frozenset[bytes]:
    """Return the contracts that said more than tokens say of transfers: pools, vaults, markets."""
    return frozenset(log.address for log in logs if log.topics and log.topics[0] not in _OF_A_TOKEN)


def actor_of(
    own: Iterable[bytes], held: Balances, movements: Sequence[Movement], others: frozenset[bytes]
) -> frozenset[bytes]:
    """Return the accounts that act as one with `own`; `others` never do.

    Whoever only gives pays for the actor, and whoever passes value on and is left with more keeps it for the
    actor. Whoever only receives may be anybody, a token's tax or a fee, unless nobody else gained.
    """
    never = others | {movement.token for movement in movements} | {NOBODY}
    givers = {movement.sender for movement in movements}
    receivers = {movement.recipient for movement in movements}
    actor, payees = set(own), set()
    for account, changes in held.items():
        if account in never or account in actor:
            continue
        if account not in receivers or (account in givers and all(c > 0 for c in changes.values())):
            actor.add(account)
        elif account not in givers:
            payees.add(account)
    if not any(change > 0 for change in _joined(actor, held).values()):
        actor |= payees
    return frozenset(actor)


def _joined(accounts: Iterable[bytes], held: Balances) -> dict[bytes, int]:
    total: dict[bytes, int] = {}
    for account in accounts:
        for token, change in held.get(account, {}).items():
            total[token] = total.get(token, 0) + change
    return total


@dataclass(frozen=True, slots=True)
class Circle:
    """Value that went around: the actor, whom it traded with, and what it holds more of afterwards.

    `traders` each took one token and gave another. `gains` has the actor's changes inside the circle by
    account, leftovers included; `profit` is their sum without leftovers, empty where something was lost.
    """

    actor: frozenset[bytes]
    traders: frozenset[bytes]
    tokens: frozenset[bytes]
    gains: Balances
    profit: Amounts

    def keeper(self) -> bytes:
        """Return the account of the actor that kept most of the profit."""
        token = self.profit[0][0]
        return min(self.actor, key=lambda account: (-self.gains.get(account, {}).get(token, 0), account))


def circle_of(
    movements: Sequence[Movement], actor: frozenset[bytes], ether: frozenset[bytes] = frozenset()
) -> Circle:
    """Return the circle through the actor. Of the tokens in `ether` nothing gained is ever a leftover."""
    inside = actor | (_reached(movements, actor) & _reached(_turned(movements), actor))
    within = [one for one in movements if one.sender in inside and one.recipient in inside]
    held = balances(within)
    passed = _passed(within)
    traders = frozenset(
        account
        for account, changes in held.items()
        if account not in actor and _trades(changes, passed[account])
    )
    traded: dict[bytes, int] = {}
    for account in traders:
        for token, change in held[account].items():
            traded[token] = traded.get(token, 0) + abs(change)
    total = {
        token: change
        for token, change in _joined(actor, held).items()
        if (token in ether and change > 0) or abs(change) * LEFTOVER_PARTS > traded.get(token, 0)
    }
    lost = any(change < 0 for change in total.values())
    return Circle(
        actor=actor,
        traders=traders,
        tokens=frozenset(one.token for one in within),
        gains={account: changes for account, changes in held.items() if account in actor},
        profit=() if lost else tuple(sorted((token, change) for token, change in total.items() if change)),
    )


def _passed(movements: Iterable[Movement]) -> dict[bytes, dict[bytes, int]]:
    """Return how much of each token passed through each account."""
    found: dict[bytes, dict[bytes, int]] = {}
    for token, sender, recipient, amount in movements:
        for holder in (sender, recipient):
            own = found.setdefault(holder, {})
            own[token] = own.get(token, 0) + amount
    return found


def _trades(changes: Mapping[bytes, int], passed: Mapping[bytes, int]) -> bool:
    """Say whether an account took one token and gave another, leftovers of what passed not counted."""
    real = [change for token, change in changes.items() if abs(change) * LEFTOVER_PARTS > passed[token]]
    return any(change > 0 for change in real) and any(change < 0 for change in real)


def _turned(movements: Iterable[Movement]) -> list[Movement]:
    return [Movement(token, recipient, sender, amount) for token, sender, recipient, amount in movements]


def _reached(movements: Iterable[Movement], start: frozenset[bytes]) -> frozenset[bytes]:
    """Return every account that value from `start` could have come to."""
    ahead: dict[bytes, set[bytes]] = {}
    for movement in movements:
        ahead.setdefault(movement.sender, set()).add(movement.recipient)
    seen, waiting = set(start), list(start)
    while waiting:
        for following in ahead.get(waiting.pop(), ()):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return frozenset(seen)
