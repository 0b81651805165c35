"""What was really visible before a block, where the mempool of an imported block is made up from it.

A rule gives every transaction of such a block an arrival time. What somebody sent to take an opportunity was
in most cases shown to nobody; a search that saw it would find what it is asked to find. So the labels' own
transactions are taken out, unless they were really seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mev_dagster.backtest.opportunity import Way
from mev_dagster.features.mempool import PendingTx
from mev_dagster.labels.label import BlockLabels
from mev_dagster.search.inputs import SearchInputs
from mev_dagster.search.landed import Landed

ASSUMED = (
    "every transaction of an imported block is taken as seen before it, but for those that the block's "
    "labels name as the taker's own"
)


def visible_before(inputs: SearchInputs, labels: BlockLabels) -> SearchInputs:
    """Return the inputs without what the takers sent and no lane saw; the same where there is none."""
    own = {tx_hash for label in labels.labels for tx_hash in label.tx_hashes}
    pending = tuple(entry for entry in inputs.pending if not (entry.synthetic and entry.tx.hash in own))
    return inputs if len(pending) == len(inputs.pending) else replace(inputs, pending=pending)


def without_takers(
    candidates: Sequence[Way], pending: Iterable[PendingTx], landed: Iterable[Landed]
) -> Sequence[Way]:
    """Return the candidates that build on nothing that the takers sent and no lane saw."""
    taken = {tx_hash for one in landed for tx_hash in one.tx_hashes}
    hidden = {entry.tx.hash for entry in pending if entry.synthetic and entry.tx.hash in taken}
    return [one for one in candidates if hidden.isdisjoint(one.pending_hashes)]
