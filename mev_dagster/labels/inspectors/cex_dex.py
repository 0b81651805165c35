"""Suspicion of a trade against an exchange outside the chain: one way, near the top of a block, paid dearly.

The other half is not on the chain, so this is a suspicion and never more: a bot swaps in one pair of tokens,
keeps what it bought, and gives the coinbase so much that only a better price elsewhere can pay for it.
"""

from collections.abc import Iterator

from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.landed import Lack, LandedTx
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.value import Confidence, Label
from mev_dagster.labels.view import LandedView

TOP_OF_BLOCK_PARTS = 4
"""It lands in the first of so many parts of its block: prices elsewhere move on."""

LEAST_PAYMENT_PARTS = 100_000
"""What the coinbase gets is at least one part in so many of what is swapped."""

LEAST_PAYMENT_WEI = 10**15
"""And more than anybody pays for a place alone."""


class CexDex(Inspector):
    """Finds the transactions that look like one half of such a trade."""

    kind = "cex_dex"
    plural = "cex_dex"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield them in the order of the block; none where the coinbase's payments are not known."""
        if Lack.COINBASE_PAYMENTS in view.block.lacks:
            return
        top = max(1, len(view.block.txs) // TOP_OF_BLOCK_PARTS)
        for landed in view.block.txs[:top]:
            swaps = view.swaps_of(landed.index)
            if (
                landed.direct_payment_wei >= LEAST_PAYMENT_WEI
                and _one_way(swaps)
                and _by_its_own(view, landed)
            ):
                traded_wei = view.prices.wei_of(swaps[0].token_in, sum(s.amount_in for s in swaps))
                if traded_wei and landed.direct_payment_wei * LEAST_PAYMENT_PARTS >= traded_wei:
                    yield _label(view, landed, swaps)


def _one_way(swaps: tuple[LandedSwap, ...]) -> bool:
    return len({(swap.token_in, swap.token_out) for swap in swaps}) == 1


def _by_its_own(view: LandedView, landed: LandedTx) -> bool:
    """Say whether the contract that was called keeps what it bought: a router hands it to a user."""
    called, swap = landed.tx.to, view.swaps_of(landed.index)[0]
    held = view.flow_of(landed.index).held.get(called or b"", {})
    return held.get(swap.token_out, 0) > 0 > held.get(swap.token_in, 0)


def _label(view: LandedView, landed: LandedTx, swaps: tuple[LandedSwap, ...]) -> Label:
    sold, bought = swaps[0].token_in, swaps[0].token_out
    amounts = -sum(swap.amount_in for swap in swaps), sum(swap.amount_out for swap in swaps)
    called = [landed.tx.to] if landed.tx.to else []
    return Label(
        kind=CexDex.kind,
        accounts=(*called, landed.tx.sender),
        tx_hashes=(landed.tx.hash,),
        venues=tuple(dict.fromkeys(swap.pool for swap in swaps)),
        profit=tuple(sorted(((sold, amounts[0]), (bought, amounts[1])))),
        costs=view.costs([landed.index]),
        net_wei=None,
        confidence=Confidence.LOW,
        why=f"swapped one way at position {landed.index}, and gave the coinbase "
        f"{landed.direct_payment_wei} wei",
    )
