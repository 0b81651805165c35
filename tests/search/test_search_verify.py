"""What counts as a gain is what the searcher holds more afterwards, and nothing gained is no gain."""

from types import SimpleNamespace

import pytest

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.dex.erc20 import TRANSFER_TOPIC
from mev_dagster.evm.types import SimResult, TxResult, TxStatus
from mev_dagster.search.searcher import Searcher
from mev_dagster.search.verify import verify

KEY, EXECUTOR, WETH, POOL = b"\x01" * 32, b"\x0e" * 20, b"\x0c" * 20, b"\x0a" * 20
SEARCHER = Searcher(KEY, EXECUTOR, WETH, nonce=0, injected=True)
OWN = sign_transaction(
    KEY,
    chain_id=1,
    nonce=0,
    to=EXECUTOR,
    gas_limit=100_000,
    max_fee_per_gas_wei=1,
    max_priority_fee_per_gas_wei=1,
)


def executed(gas_cost_wei: int, wrapped_gain_wei: int) -> SimpleNamespace:
    """A session in which the searcher paid for gas and its executor was sent wrapped ether."""
    topics = (TRANSFER_TOPIC, POOL.rjust(32, b"\0"), EXECUTOR.rjust(32, b"\0"))
    result = TxResult(
        OWN.hash,
        TxStatus.SUCCESS,
        21_000,
        b"",
        (Log(WETH, topics, wrapped_gain_wei.to_bytes(32, "big")),),
        balance_changes_wei={address_of(KEY): -gas_cost_wei},
    )
    sim = SimResult("stub", Fork.LONDON, (result,), 21_000, {}, bytes(32))
    return SimpleNamespace(run=lambda txs: sim)


@pytest.mark.parametrize(("gain", "holds"), [(99, False), (100, False), (101, True)])
def test_only_more_than_the_gas_it_cost_is_a_gain(gain, holds):
    found = verify([OWN], SEARCHER, executed(100, gain))
    assert (found.holds, found.profit_wei, found.reason) == (holds, gain - 100, "" if holds else "below_gas")
