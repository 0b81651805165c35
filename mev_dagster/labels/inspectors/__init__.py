"""The inspectors, one a file and one a line: what each looks for is in its file's first sentence."""

from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.inspectors.arbitrage import Arbitrages
from mev_dagster.labels.inspectors.jit import JitLiquidity
from mev_dagster.labels.inspectors.liquidation import Liquidations
from mev_dagster.labels.inspectors.sandwich import Sandwiches

BUILT_IN: tuple[Inspector, ...] = (
    Sandwiches(),
    JitLiquidity(),
    Liquidations(),
    Arbitrages(),
)


def inspectors() -> tuple[Inspector, ...]:
    """Return every inspector there is."""
    return BUILT_IN
