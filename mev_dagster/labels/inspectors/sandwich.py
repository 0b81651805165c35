"""Sandwich: one actor buys before and sells after other people's swaps in the same pool and direction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mev_dagster.labels.inspector import Inspector, Json, Key, Told, hexes
from mev_dagster.labels.landed import LandedTx
from mev_dagster.labels.swaps import LandedSwap, swap_to_json
from mev_dagster.labels.value import Confidence, Label, Victim
from mev_dagster.labels.view import LandedView

LEAST_SOLD_BACK_PERCENT = 50
"""The back-run sells at least this share of what the front-run bought; attackers keep or lose some."""


@dataclass(frozen=True, slots=True)
class Legs:
    """A front-run, its victims and the back-run, as swaps of one pool."""

    frontrun: LandedSwap
    victims: tuple[LandedSwap, ...]
    backrun: LandedSwap
    attacker: bytes

    def to_json(self) -> Mapping[str, Any]:
        """Return the swaps and who made them."""
        return {
            "frontrun": swap_to_json(self.frontrun),
            "victims": [swap_to_json(swap) for swap in self.victims],
            "backrun": swap_to_json(self.backrun),
            "attacker": self.attacker,
            "pool": self.frontrun.pool,
        }


class Sandwiches(Inspector):
    """Finds the sandwiches of a block; no swap is used twice."""

    kind = "sandwich"
    plural = "sandwiches"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield the sandwiches in the order of their front-runs."""
        by_pool: dict[bytes, list[LandedSwap]] = {}
        for swap in view.swaps:
            by_pool.setdefault(swap.pool, []).append(swap)
        found = [legs for own in by_pool.values() if len(own) > 2 for legs in _in_pool(own, view)]
        found.sort(key=lambda legs: (legs.frontrun.tx_index, legs.frontrun.log_position))
        for legs in found:
            yield _label(view, legs)

    def key(self, label: Label) -> Key:
        """Return its two transactions and its pool."""
        return hexes(label.tx_hashes[0], label.tx_hashes[-1], label.venues[0])

    def told(self, entry: Json) -> Told:
        """Read the sandwich of another inspector."""
        front, back = entry["frontrun_swap"], entry["backrun_swap"]
        key = (front["transaction_hash"], back["transaction_hash"], front["contract_address"])
        return Told(key, (front, back))


def _in_pool(swaps: Sequence[LandedSwap], view: LandedView) -> Iterator[Legs]:
    used: set[int] = set()
    for start, front in enumerate(swaps):
        if start in used:
            continue
        attacker = _identity(front, view.block.txs[front.tx_index])
        for end in range(start + 2, len(swaps)):
            back = swaps[end]
            if end in used or not _closes(front, back) or not _acts(attacker, view.block.txs[back.tx_index]):
                continue
            victims = tuple(
                swap
                for swap in swaps[start + 1 : end]
                if _is_between(swap, front, back) and not _acts(attacker, view.block.txs[swap.tx_index])
            )
            if victims:
                used.update((start, end))
                own = view.block.txs[front.tx_index].tx
                yield Legs(front, victims, back, own.to if front.recipient == own.to else own.sender)
                break


def _identity(front: LandedSwap, landed: LandedTx) -> frozenset[bytes]:
    """Return who front-runs: the signer, and the contract it called if that kept what was bought.

    A router passes the bought tokens on to its user, so everybody who calls it stays a stranger.
    """
    kept_by_callee = landed.tx.to is not None and front.recipient == landed.tx.to
    return frozenset({landed.tx.sender, *([landed.tx.to] if landed.tx.to and kept_by_callee else [])})


def _acts(attacker: frozenset[bytes], landed: LandedTx) -> bool:
    return landed.tx.sender in attacker or landed.tx.to in attacker


def _closes(front: LandedSwap, back: LandedSwap) -> bool:
    sold_back = back.amount_in * 100 >= front.amount_out * LEAST_SOLD_BACK_PERCENT
    return back.token_in == front.token_out and back.token_out == front.token_in and sold_back


def _is_between(swap: LandedSwap, front: LandedSwap, back: LandedSwap) -> bool:
    return front.tx_index < swap.tx_index < back.tx_index and swap.token_in == front.token_in


def _label(view: LandedView, legs: Legs) -> Label:
    front, back = legs.frontrun, legs.backrun
    profit = ((front.token_in, back.amount_out - front.amount_in),)
    costs = view.costs((front.tx_index, back.tx_index))
    net_wei = view.net_wei(profit, costs)
    senders = (view.block.txs[swap.tx_index].tx.sender for swap in (front, back))
    return Label(
        kind=Sandwiches.kind,
        accounts=tuple(dict.fromkeys((legs.attacker, *senders))),
        tx_hashes=(front.tx_hash, back.tx_hash),
        venues=(front.pool,),
        profit=profit,
        costs=costs,
        net_wei=net_wei,
        confidence=Confidence.MEDIUM if net_wei is None else Confidence.HIGH,
        why=f"bought before and sold after {len(legs.victims)} swaps of others in one pool and direction",
        victims=tuple(Victim(swap.tx_hash, view.block.txs[swap.tx_index].tx.sender) for swap in legs.victims),
        opportunity="sandwich",
        detail=legs,
    )
