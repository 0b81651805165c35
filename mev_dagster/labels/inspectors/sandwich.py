"""Sandwich: one actor buys before and sells after other people's swaps in the same pool and direction.

Pools say who bought and sold between whom; what it earned is what the actor's accounts hold more behind all
of its transactions. Where it sold of an older stock, or kept some, only what was both bought and sold counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mev_dagster.labels.flow import LEFTOVER_PARTS
from mev_dagster.labels.inspector import Inspector, Json, Key, Told, hexes
from mev_dagster.labels.leg import Legs, legs_in
from mev_dagster.labels.losses import losses_of
from mev_dagster.labels.swaps import LandedSwap, swap_to_json
from mev_dagster.labels.value import Amounts, Confidence, Label, Victim
from mev_dagster.labels.view import LandedView

Changes = Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class FoundSandwich:
    """The legs in every pool, in the order of their first swaps; all share transactions."""

    legs: tuple[Legs, ...]
    attacker: bytes

    @property
    def frontrun(self) -> LandedSwap:
        """Return the first swap of all."""
        return self.legs[0].fronts[0]

    @property
    def backrun(self) -> LandedSwap:
        """Return the last swap of all."""
        return max((legs.backs[-1] for legs in self.legs), key=lambda s: (s.tx_index, s.log_position))

    @property
    def victims(self) -> tuple[LandedSwap, ...]:
        """Return the swaps of others, in the order of the block."""
        found = (swap for legs in self.legs for swap in legs.victims)
        return tuple(sorted(found, key=lambda swap: (swap.tx_index, swap.log_position)))

    def to_json(self) -> Mapping[str, Any]:
        """Return the swaps and who made them; more than one swap a leg, or pool, under `legs`."""
        return {
            "frontrun": swap_to_json(self.frontrun),
            "victims": [swap_to_json(swap) for swap in self.victims],
            "backrun": swap_to_json(self.backrun),
            "attacker": self.attacker,
            "pool": self.frontrun.pool,
            "legs": [
                {
                    "pool": legs.fronts[0].pool,
                    "fronts": [swap_to_json(swap) for swap in legs.fronts],
                    "backs": [swap_to_json(swap) for swap in legs.backs],
                }
                for legs in self.legs
            ],
        }


class Sandwiches(Inspector):
    """Finds the sandwiches of a block; what shares a transaction is one."""

    kind = "sandwich"
    plural = "sandwiches"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield the sandwiches in the order of their front-runs."""
        by_pool: dict[tuple[bytes, bytes], list[LandedSwap]] = {}
        for swap in view.swaps:
            by_pool.setdefault(swap.book, []).append(swap)
        found = [legs for own in by_pool.values() if len(own) > 2 for legs in legs_in(own, view)]
        found.sort(key=lambda legs: (legs.fronts[0].tx_index, legs.fronts[0].log_position))
        for together in _sharing(found):
            label = _label(view, together)
            if label is not None:
                yield label

    def key(self, label: Label) -> Key:
        """Return its two transactions and its pool."""
        return self.keys(label)[0]

    def keys(self, label: Label) -> tuple[Key, ...]:
        """Return front-run, back-run and pool of every pool."""
        if not isinstance(label.detail, FoundSandwich):
            return ()
        return tuple(
            hexes(legs.fronts[0].tx_hash, legs.backs[-1].tx_hash, legs.fronts[0].pool)
            for legs in label.detail.legs
        )

    def told(self, entry: Json) -> Told:
        """Read the sandwich of another inspector."""
        front, back = entry["frontrun_swap"], entry["backrun_swap"]
        key = (front["transaction_hash"], back["transaction_hash"], front["contract_address"])
        return Told(key)


def _sharing(found: Sequence[Legs]) -> list[tuple[Legs, ...]]:
    """Return the legs that share transactions together, in the order of their first swaps."""
    leads: dict[int, int] = {}

    def lead(index: int) -> int:
        while leads.setdefault(index, index) != index:
            leads[index] = index = leads[leads[index]]
        return index

    for legs in found:
        first, *others = sorted(legs.own)
        for other in others:
            one, two = sorted((lead(first), lead(other)))
            leads[two] = one
    groups: dict[int, list[Legs]] = {}
    for legs in found:
        groups.setdefault(lead(min(legs.own)), []).append(legs)
    return [tuple(groups[first]) for first in sorted(groups)]


def _changes(view: LandedView, index: int, actor: frozenset[bytes]) -> dict[bytes, int]:
    """Return what the actor's accounts hold more behind one transaction."""
    flow = view.flow_of(index)
    total: dict[bytes, int] = {}
    for account in (flow.actor | actor) - flow.contracts.difference(actor):
        for token, change in flow.held.get(account, {}).items():
            total[token] = total.get(token, 0) + change
    return total


def _added(changes: Mapping[int, Changes]) -> dict[bytes, int]:
    total: dict[bytes, int] = {}
    for own in changes.values():
        for token, change in own.items():
            total[token] = total.get(token, 0) + change
    return total


@dataclass(frozen=True, slots=True)
class _Earned:
    profit: Amounts
    whole: bool  # all that was bought was sold, and nothing else


def _earned(view: LandedView, together: Sequence[Legs]) -> _Earned:
    actor = frozenset(account for legs in together for account in legs.actor)
    own = {index for legs in together for index in legs.own}
    changes = {index: _changes(view, index, actor) for index in sorted(own)}
    traded: dict[bytes, int] = {}
    for swap in (swap for legs in together for swap in (*legs.fronts, *legs.backs)):
        for token, amount in ((swap.token_in, swap.amount_in), (swap.token_out, swap.amount_out)):
            traded[token] = traded.get(token, 0) + amount
    total = _without_leftovers(_added(changes), traded, view)
    if all(change > 0 for change in total.values()):
        return _Earned(_sorted(total), True)
    parts = dict.fromkeys(changes, (1, 1))
    for legs in together:
        _match(legs, changes, parts)
    matched = {
        index: {token: change * parts[index][0] // parts[index][1] for token, change in own_changes.items()}
        for index, own_changes in changes.items()
    }
    total = _without_leftovers(_added(matched), traded, view)
    return _Earned(_sorted(total), all(part == (1, 1) for part in parts.values()))


def _match(legs: Legs, changes: Mapping[int, Changes], parts: dict[int, tuple[int, int]]) -> None:
    """Cut both legs down to what was bought and sold back, pro rata."""
    stock = legs.fronts[0].token_out
    fronts = {swap.tx_index for swap in legs.fronts}
    backs = {swap.tx_index for swap in legs.backs} - fronts
    bought = sum(changes[index].get(stock, 0) for index in fronts)
    sold = -sum(changes[index].get(stock, 0) for index in backs)
    if bought <= 0 or sold <= 0 or abs(bought - sold) * LEFTOVER_PARTS <= bought:
        return
    for leg, amount in ((fronts, bought), (backs, sold)):
        for index in leg:
            part = (min(bought, sold), amount)
            if part[0] * parts[index][1] < parts[index][0] * part[1]:
                parts[index] = part


def _without_leftovers(total: Changes, traded: Changes, view: LandedView) -> dict[bytes, int]:
    return {
        token: change
        for token, change in total.items()
        if change and (token in view.ether or abs(change) * LEFTOVER_PARTS > traded.get(token, 0))
    }


def _sorted(total: Changes) -> Amounts:
    return tuple(sorted(total.items()))


def _attacker(view: LandedView, together: Sequence[Legs]) -> bytes:
    """Return who held what was bought in between, else who signed the first of it."""
    front = together[0].fronts[0]
    held, tx = view.flow_of(front.tx_index).held, view.block.txs[front.tx_index].tx
    if front.recipient == tx.to and tx.to in together[0].actor:
        return front.recipient
    keepers = sorted(
        (-held.get(account, {}).get(front.token_out, 0), account) for account in together[0].actor
    )
    return keepers[0][1] if keepers[0][0] < 0 else tx.sender


def _label(view: LandedView, together: tuple[Legs, ...]) -> Label | None:
    earned = _earned(view, together)
    if not earned.profit or (not earned.whole and all(change < 0 for _, change in earned.profit)):
        return None  # a holder who bought, sold some of it and lost is nobody's attacker
    sandwich = FoundSandwich(together, _attacker(view, together))
    own = sorted({index for legs in together for index in legs.own})
    costs = view.costs(own)
    net_wei = view.net_wei(earned.profit, costs)
    senders = (view.block.txs[index].tx.sender for index in own)
    accounts = sorted(account for legs in together for account in legs.actor)
    pools = tuple(dict.fromkeys(legs.fronts[0].pool for legs in together))
    return Label(
        kind=Sandwiches.kind,
        accounts=tuple(dict.fromkeys((sandwich.attacker, *senders, *accounts))),
        tx_hashes=tuple(view.block.txs[index].tx.hash for index in own),
        venues=pools,
        profit=earned.profit,
        costs=costs,
        net_wei=net_wei,
        confidence=Confidence.HIGH if view.in_ether(earned.profit) and earned.whole else Confidence.MEDIUM,
        why=_why(sandwich, len(pools), earned.whole),
        victims=_victims(view, together),
        opportunity="sandwich",
        detail=sandwich,
    )


def _victims(view: LandedView, together: Sequence[Legs]) -> tuple[Victim, ...]:
    losses = {swap: loss for legs in together for swap, loss in losses_of(legs, view).items()}
    found = sorted(
        (swap for legs in together for swap in legs.victims), key=lambda s: (s.tx_index, s.log_position)
    )
    return tuple(
        Victim(swap.tx_hash, view.block.txs[swap.tx_index].tx.sender, losses.get(swap, ())) for swap in found
    )


def _why(sandwich: FoundSandwich, pools: int, whole: bool) -> str:
    where = "one pool" if pools == 1 else f"{pools} pools"
    told = f"bought before and sold after {len(sandwich.victims)} swaps of others in {where} and direction"
    return told if whole else f"{told}; only what was both bought and sold back is counted, pro rata"
