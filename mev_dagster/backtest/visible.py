"""What was really visible before a block, where the mempool of an imported block is made up from it.

A rule gives every transaction of such a block an arrival time. What somebody sent to take an opportunity was
in most cases shown to nobody; a search that saw it would find what it is asked to find. So the labels' own
transactions are taken out, unless they were really seen.
"""

from dataclasses import replace

from mev_dagster.labels.label import BlockLabels
from mev_dagster.search.inputs import SearchInputs

ASSUMED = (
    "every transaction of an imported block is taken as seen before it, but for those that the block's "
    "labels name as the taker's own"
)


def visible_before(inputs: SearchInputs, labels: BlockLabels) -> SearchInputs:
    """Return the inputs without what the takers sent and no lane saw; the same where there is none."""
    own = {tx_hash for label in labels.labels for tx_hash in label.tx_hashes}
    pending = tuple(entry for entry in inputs.pending if not (entry.synthetic and entry.tx.hash in own))
    return inputs if len(pending) == len(inputs.pending) else replace(inputs, pending=pending)
