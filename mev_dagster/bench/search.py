"""The rows of `mev bench evm` for the search: a block's candidates by either engine, and its recheck.

The blocks are the shipped devnet capture's. A search proposes, sizes, signs and executes; the engine's share
is what the two columns differ by.
"""

from collections.abc import Iterator

from mev_dagster.bench.harness import Result, interleave, judge
from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.recheck import Recheck
from mev_dagster.search.inputs import SearchInputs, capture_inputs
from mev_dagster.search.recheck import RecheckedSearch
from mev_dagster.search.run import SearchResult, search_block

SHARE = 0.02
_BLOCKS = 4


def run(rounds: int) -> Iterator[Result]:
    """Yield both rows, or nothing where there is no fast engine to compare."""
    if not native_is_installed():
        return
    with open_capture(SHIPPED_CAPTURE) as capture:
        inputs = list(capture_inputs(capture))[-_BLOCKS:]
    fast, reference = get_engine("revm"), get_engine("py_evm")
    found = [search_block(each, fast) for each in inputs]
    assert [result.rank_digest for result in found] == [
        search_block(each, reference).rank_digest for each in inputs
    ], "the engines rank differently"

    def search_fast(each: SearchInputs) -> None:
        search_block(each, fast)

    def search_reference(each: SearchInputs) -> None:
        search_block(each, reference)

    best = interleave({"revm": search_fast, "py_evm": search_reference}, inputs, rounds=rounds)
    yield judge(
        "search: a block on revm",
        1000 * best["revm"] / len(inputs),
        "ms",
        peer="the same on py_evm",
        peer_value=1000 * best["py_evm"] / len(inputs),
        note=f"{sum(len(result.runs) for result in found) / len(inputs):.0f} pending transactions and "
        f"{sum(len(result.candidates) for result in found) / len(inputs):.0f} candidates a block",
    )
    again = Recheck(SHARE, reference=reference)
    checked = []

    def recheck(result: SearchResult) -> None:
        search = RecheckedSearch(result, again)
        search.check_sample()
        search.check_best()
        checked.append(search.checked)

    seconds = interleave({"recheck": recheck}, found, rounds=rounds)["recheck"]
    yield judge(
        "recheck: best find and sample of a block",
        1000 * seconds / len(found),
        "ms",
        note=f"{sum(checked) / len(checked):.1f} executions a block on py_evm, {SHARE:.0%} sampled",
    )
