"""Who could be behind a swap: the accounts that kept what it bought, and those that paid for it.

Events name callers and recipients, whom routers stand in for; what accounts hold afterwards does not lie.
Each transaction is read once, and its swaps are answered from tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import word
from mev_dagster.dex.erc20 import WITHDRAWAL_TOPIC
from mev_dagster.labels.flow import NOBODY, Balances
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.view import LandedView

MOST_PARTIES = 16
"""Accounts that may be behind one swap; those that moved most of its token come first."""

Changes = Mapping[bytes, Sequence[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True)
class Parties:
    """One transaction. `gained` and `gave` have the accounts by token, most first."""

    sender: bytes
    to: bytes | None
    passes_on: bool
    taken_by_called: frozenset[bytes]
    unwrapped_by_called: int
    gained: Changes
    gave: Changes

    def buyers(self, swap: LandedSwap) -> frozenset[bytes]:
        """Return who bought: the signer, and the accounts that kept what was bought.

        A router passes the bought tokens on to its user, so everybody who calls it stays a stranger.
        """
        kept = {self.to} if self.to and self._keeps(self.to, swap) else set()
        return frozenset({self.sender, *kept, *_more_than_half(self.gained, swap.token_out, swap.amount_out)})

    def sellers(self, swap: LandedSwap) -> frozenset[bytes]:
        """Return whose swap it may be: the signer's, the called contract's, or the payer's."""
        called = {self.to} if self.to else set()
        return frozenset({self.sender, *called, *_more_than_half(self.gave, swap.token_in, swap.amount_in)})

    def _keeps(self, called: bytes, swap: LandedSwap) -> bool:
        """Say whether the called contract received what was bought and gave nothing on but to pools."""
        received = swap.recipient == called or swap.token_out in self.taken_by_called
        return not self.passes_on and received and self.unwrapped_by_called * 2 < swap.amount_out


def parties_of(view: LandedView, index: int) -> Parties:
    """Read one transaction."""
    landed, flow = view.block.txs[index], view.flow_of(index)
    called = landed.tx.to
    pools = flow.contracts | {movement.token for movement in flow.movements} | {NOBODY}
    given_on = (m.recipient for m in flow.movements if m.sender == called)
    return Parties(
        sender=landed.tx.sender,
        to=called,
        passes_on=any(recipient not in pools and recipient != called for recipient in given_on),
        taken_by_called=frozenset(m.token for m in flow.movements if m.recipient == called),
        unwrapped_by_called=_unwrapped(landed.logs, called),
        gained=_by_token(flow.held, 1, pools | {called} if called else pools),
        gave=_by_token(flow.held, -1, frozenset()),
    )


def _unwrapped(logs: Iterable[Log], account: bytes | None) -> int:
    return sum(
        word(log.data, 0)
        for log in logs
        if len(log.topics) == 2
        and log.topics[0] == WITHDRAWAL_TOPIC
        and len(log.data) == 32
        and log.topics[1][12:] == account
    )


def _by_token(held: Balances, sign: int, never: frozenset[bytes]) -> Changes:
    found: dict[bytes, list[tuple[int, bytes]]] = {}
    for account, changes in held.items():
        if account not in never:
            for token, change in changes.items():
                if change * sign > 0:
                    found.setdefault(token, []).append((change * sign, account))
    for accounts in found.values():
        accounts.sort(key=lambda one: (-one[0], one[1]))
    return found


def _more_than_half(changes: Changes, token: bytes, amount: int) -> list[bytes]:
    return [account for held, account in changes.get(token, ())[:MOST_PARTIES] if held * 2 > amount]
