"""Legs of a sandwich in one pool: who bought before other people's swaps and sold behind them.

Which transactions belong together is told by who signed, by the contract that kept what was bought, and by
the account that holds it afterwards, wherever it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mev_dagster.dex.abi import word
from mev_dagster.dex.erc20 import WITHDRAWAL_TOPIC
from mev_dagster.labels.flow import LEFTOVER_PARTS, NOBODY
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.view import LandedView

LEAST_SOLD_BACK_PERCENT = 50
"""The back-run sells at least this share of what the front-run bought; attackers keep or lose some."""


@dataclass(frozen=True, slots=True)
class Legs:
    """What one actor bought and sold in one pool, and the swaps of others in between that bought too."""

    fronts: tuple[LandedSwap, ...]
    victims: tuple[LandedSwap, ...]
    backs: tuple[LandedSwap, ...]
    actor: frozenset[bytes]

    @property
    def own(self) -> frozenset[int]:
        """Return the positions of the actor's transactions in the block."""
        return frozenset(swap.tx_index for swap in (*self.fronts, *self.backs))


@dataclass(slots=True)
class _Open:
    """A front-run whose back-run is still looked for."""

    actor: frozenset[bytes]
    fronts: list[LandedSwap]
    strangers: list[LandedSwap] = field(default_factory=list)
    backs: list[LandedSwap] = field(default_factory=list)

    @property
    def bought(self) -> int:
        return sum(swap.amount_out for swap in self.fronts)

    @property
    def sold(self) -> int:
        return sum(swap.amount_in for swap in self.backs)

    def legs(self) -> Legs | None:
        if not self.backs or self.sold * 100 < self.bought * LEAST_SOLD_BACK_PERCENT:
            return None
        first, last = self.fronts[0].tx_index, self.backs[-1].tx_index
        victims = tuple(swap for swap in self.strangers if first < swap.tx_index < last)
        return Legs(tuple(self.fronts), victims, tuple(self.backs), self.actor) if victims else None


def legs_in(swaps: Sequence[LandedSwap], view: LandedView) -> Iterator[Legs]:
    """Yield the legs among the swaps of one pool; no swap is used twice."""
    used: set[int] = set()
    for start, front in enumerate(swaps):
        if start in used:
            continue
        taken, found = _followed(start, front, swaps, used, view)
        if found is not None:
            used |= taken
            yield found


def _followed(
    start: int, front: LandedSwap, swaps: Sequence[LandedSwap], used: set[int], view: LandedView
) -> tuple[set[int], Legs | None]:
    one, taken = _Open(_identity(front, view), [front]), {start}
    for position in range(start + 1, len(swaps)):
        swap = swaps[position]
        buys = swap.token_in == front.token_in
        if position in used or {swap.token_in, swap.token_out} != {front.token_in, front.token_out}:
            continue
        if not _acts(one.actor, swap, view):
            if buys:
                one.strangers.append(swap)
            continue
        if buys and one.backs:
            break
        if not buys and not any(s.tx_index < swap.tx_index for s in one.strangers):
            break
        (one.fronts if buys else one.backs).append(swap)
        taken.add(position)
        if one.sold * LEFTOVER_PARTS >= one.bought * (LEFTOVER_PARTS - 1):
            break
    return taken, one.legs()


def _identity(front: LandedSwap, view: LandedView) -> frozenset[bytes]:
    """Return who front-runs: the signer, and the accounts that kept what was bought.

    A router passes the bought tokens on to its user, so everybody who calls it stays a stranger.
    """
    landed, flow = view.block.txs[front.tx_index], view.flow_of(front.tx_index)
    kept = {landed.tx.to} if landed.tx.to and _keeps(landed.tx.to, front, view) else set()
    never = flow.contracts | {movement.token for movement in flow.movements} | {landed.tx.to, NOBODY}
    holders = {
        account
        for account, changes in flow.held.items()
        if account not in never and changes.get(front.token_out, 0) * 2 > front.amount_out
    }
    return frozenset({landed.tx.sender, *kept, *holders})


def _keeps(account: bytes, front: LandedSwap, view: LandedView) -> bool:
    """Say whether an account received what was bought and gave nothing on to anybody but pools."""
    landed, flow = view.block.txs[front.tx_index], view.flow_of(front.tx_index)
    pools = flow.contracts | {movement.token for movement in flow.movements} | {NOBODY}
    received = front.recipient == account
    for movement in flow.movements:
        if movement.sender == account and movement.recipient not in pools | {account}:
            return False
        received |= movement.recipient == account and movement.token == front.token_out
    unwrapped = sum(
        word(log.data, 0)
        for log in landed.logs
        if len(log.topics) == 2
        and log.topics[0] == WITHDRAWAL_TOPIC
        and len(log.data) == 32
        and log.topics[1][12:] == account
    )
    return received and unwrapped * 2 < front.amount_out


def _acts(actor: frozenset[bytes], swap: LandedSwap, view: LandedView) -> bool:
    """Say whether a swap is the actor's: it signed, was called, or an account of it paid what was sold."""
    landed = view.block.txs[swap.tx_index]
    if landed.tx.sender in actor or landed.tx.to in actor:
        return True
    held = view.flow_of(swap.tx_index).held
    return any(-held.get(account, {}).get(swap.token_in, 0) * 2 > swap.amount_in for account in actor)
