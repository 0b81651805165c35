"""Sandwich: one actor buys before and sells after other people's swaps in the same pool and direction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mev_dagster.labels.landed import LandedBlock, LandedTx
from mev_dagster.labels.swaps import LandedSwap

LEAST_SOLD_BACK_PERCENT = 50
"""The back-run sells at least this share of what the front-run bought; attackers keep or lose some."""


@dataclass(frozen=True, slots=True)
class Sandwich:
    """A front-run, its victims and the back-run. `profit` is what came back above what was put in."""

    frontrun: LandedSwap
    victims: tuple[LandedSwap, ...]
    backrun: LandedSwap
    attacker: bytes
    profit: tuple[tuple[bytes, int], ...]
    net_wei: int | None

    @property
    def own_tx_indices(self) -> tuple[int, int]:
        """Return the attacker's two transactions."""
        return self.frontrun.tx_index, self.backrun.tx_index


def sandwiches_in(block: LandedBlock, swaps: Sequence[LandedSwap]) -> Iterator[Sandwich]:
    """Yield the sandwiches of a block, in the order of their front-runs; no swap is used twice."""
    by_pool: dict[bytes, list[LandedSwap]] = {}
    for swap in swaps:
        by_pool.setdefault(swap.pool, []).append(swap)
    found = [one for own in by_pool.values() if len(own) > 2 for one in _in_pool(own, block)]
    yield from sorted(found, key=lambda one: (one.frontrun.tx_index, one.frontrun.log_position))


def _in_pool(swaps: Sequence[LandedSwap], block: LandedBlock) -> Iterator[Sandwich]:
    used: set[int] = set()
    for start, front in enumerate(swaps):
        if start in used:
            continue
        attacker = _identity(front, block.txs[front.tx_index])
        for end in range(start + 2, len(swaps)):
            back = swaps[end]
            if end in used or not _closes(front, back) or not _acts(attacker, block.txs[back.tx_index]):
                continue
            victims = tuple(
                swap
                for swap in swaps[start + 1 : end]
                if _is_between(swap, front, back) and not _acts(attacker, block.txs[swap.tx_index])
            )
            if victims:
                used.update((start, end))
                yield _sandwich(front, victims, back, block)
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


def _sandwich(
    front: LandedSwap, victims: tuple[LandedSwap, ...], back: LandedSwap, block: LandedBlock
) -> Sandwich:
    own = (block.txs[front.tx_index], block.txs[back.tx_index])
    gained = back.amount_out - front.amount_in
    net_wei = None
    if front.token_in == block.wrapped_ether:
        net_wei = gained - sum(landed.gas_cost_wei + landed.direct_payment_wei for landed in own)
    return Sandwich(
        frontrun=front,
        victims=victims,
        backrun=back,
        attacker=front.recipient if front.recipient == own[0].tx.to else own[0].tx.sender,
        profit=((front.token_in, gained),),
        net_wei=net_wei,
    )
