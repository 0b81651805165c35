"""All labels of a block: every inspector sees it, then precedence decides where kinds overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.errors import PluginFailed
from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.inspectors import Inspectors, accepted, installed
from mev_dagster.labels.label_check import checked
from mev_dagster.labels.landed import LandedBlock
from mev_dagster.labels.precedence import kept
from mev_dagster.labels.prices import Price
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.value import Label
from mev_dagster.labels.view import LandedView, view_of
from mev_dagster.plugins import OURS, Plugin, bounded, note, one_block


@dataclass(frozen=True, slots=True)
class BlockLabels:
    """What landed in one block, and who looked. Labels stand by kind, each kind in the block's order.

    `attempted_swaps` are those of calls that were undone, where calls are known; they did not happen.
    `prices` are those that the nets of its labels rest on, where they are not ether.
    `left_out` says which inspectors of other packages had no answer for this block, and why.
    """

    block: LandedBlock
    swaps: tuple[LandedSwap, ...]
    inspectors: tuple[Inspector, ...]
    labels: tuple[Label, ...]
    left_out: tuple[PluginFailed, ...] = ()
    attempted_swaps: tuple[LandedSwap, ...] = ()
    prices: tuple[tuple[bytes, Price], ...] = ()

    def of(self, kind: str) -> tuple[Label, ...]:
        """Return the labels of one kind."""
        return tuple(label for label in self.labels if label.kind == kind)

    def kinds_of(self, tx_hash: bytes) -> tuple[str, ...]:
        """Return the kinds of the labels whose own transactions include this one."""
        return tuple(dict.fromkeys(label.kind for label in self.labels if tx_hash in label.tx_hashes))

    def counts(self) -> dict[str, int]:
        """Return how many labels of each kind there are, by the kinds' plurals."""
        return {inspector.plural: len(self.of(inspector.kind)) for inspector in self.inspectors}


def label_block(block: LandedBlock, using: Sequence[Plugin[Inspector]] | None = None) -> BlockLabels:
    """Label one block with the inspectors given, else with all that are installed."""
    looking = installed() if using is None else accepted(tuple(using))
    with one_block():
        return _labelled(block, looking)


def _labelled(block: LandedBlock, looking: Inspectors) -> BlockLabels:
    view = view_of(block)
    found: list[Label] = []
    left_out: list[PluginFailed] = []
    for plugin in looking.plugins:
        try:
            found += _asked(plugin, view)
        except PluginFailed as failure:
            note(failure)
            left_out.append(failure)
    hooks = tuple(plugin.hook for plugin in looking.plugins)
    labels, tried = kept(found, looking.over), view.attempts.swaps
    prices = _prices_used(view, labels)
    return BlockLabels(block, view.swaps, hooks, labels, tuple(left_out), tried, prices)


def _prices_used(view: LandedView, labels: Sequence[Label]) -> tuple[tuple[bytes, Price], ...]:
    earned = {token for label in labels for token, _ in label.profit} - view.ether
    known = ((token, view.prices.of(token)) for token in sorted(earned))
    return tuple((token, price) for token, price in known if price is not None)


def _asked(plugin: Plugin[Inspector], view: LandedView) -> list[Label]:
    """Ask one inspector. A fault of ours is shown whole; one of another package costs only its own labels."""
    if plugin.package == OURS:
        return list(plugin.hook.find(view))
    return bounded(plugin, lambda hook: [checked(label, hook, view) for label in hook.find(view)])
