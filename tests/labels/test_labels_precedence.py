"""Where kinds overlap, the list of pairs decides: each pair of it has a block that needs it."""

import pytest
from label_blocks import BOT, EVE, OTHER_POOL, POOL, USD, WETH, block, position, swap, tx, word

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.venues.aave.events import LIQUIDATION_TOPIC as AAVE_TOPIC
from mev_dagster.errors import InputError
from mev_dagster.labels.inspectors import accepted, installed
from mev_dagster.labels.inspectors.jit import BURN_TOPIC, MINT_TOPIC
from mev_dagster.labels.label import label_block
from mev_dagster.labels.precedence import PAIRS, winners

MINT, BURN = position(MINT_TOPIC, 50), position(BURN_TOPIC, 50)
LIQUIDATION = Log(
    OTHER_POOL,
    (AAVE_TOPIC, word(WETH), word(USD), word(b"\x05" * 20)),
    b"".join(word(value) for value in (70, 80, BOT, 0)),
)
CYCLE = [*swap(POOL, WETH, 100, USD, 50), *swap(OTHER_POOL, USD, 50, WETH, 130)]
FRONT, BACK = swap(POOL, WETH, 1000, USD, 900), swap(POOL, USD, 900, WETH, 1100, payer=BOT)
ONE_WAY = swap(POOL, WETH, 1000, USD, 900, payer=BOT)
VICTIM = tx(swap(POOL, WETH, 50, USD, 40, v3=True))


def kinds(*txs):
    return {label.kind for label in label_block(block(*txs)).labels}


def own(logs, paid=0):
    return tx(logs, key=EVE, to=BOT, paid=paid)


OVERLAPS = {
    ("sandwich", "jit"): (own([*FRONT, *MINT]), VICTIM, own([*BURN, *BACK])),
    ("jit", "liquidation"): (own(MINT), VICTIM, own([*BURN, LIQUIDATION])),
    ("liquidation", "arbitrage"): (own([LIQUIDATION, *CYCLE]),),
    ("sandwich", "cex_dex"): (own(ONE_WAY, paid=10**15), VICTIM, own(BACK)),
    ("arbitrage", "suspect"): (own(CYCLE, paid=10**16),),
    ("cex_dex", "suspect"): (own(ONE_WAY, paid=10**16),),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_first_of_a_pair_wins_over_the_second(pair):
    assert kinds(*OVERLAPS[pair]) == {pair[0]}


@pytest.mark.parametrize("pair", OVERLAPS)
def test_without_its_pair_both_kinds_are_labelled(pair, monkeypatch):
    accepted.cache_clear()
    monkeypatch.setattr("mev_dagster.labels.inspectors.PAIRS", tuple(one for one in PAIRS if one != pair))
    assert set(pair) <= kinds(*OVERLAPS[pair])
    accepted.cache_clear()


def test_what_wins_over_a_winner_wins_too():
    over = winners(PAIRS)
    assert over["arbitrage"] == {"sandwich", "jit", "liquidation"}
    assert over["suspect"] == {"sandwich", "jit", "liquidation", "arbitrage", "cex_dex"}
    assert (over["jit"], "sandwich" in over) == ({"sandwich"}, False)


def test_every_kind_of_what_stands_but_one_yields_to_another():
    first = {plugin.hook.kind for plugin in installed().plugins} - set(winners(PAIRS))
    assert first == {"sandwich", "failed_arbitrage"}


def test_a_circle_is_refused():
    with pytest.raises(InputError, match="jit, sandwich win over themselves"):
        winners((*PAIRS, ("jit", "sandwich")))
