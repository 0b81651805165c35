"""What the pool manager's calls would have logged."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import word
from mev_dagster.dex.called import MadeCall, made_log
from mev_dagster.dex.venues.uniswap_v4.events import SWAP_TOPIC
from mev_dagster.dex.venues.uniswap_v4.key import SWAP_SELECTOR, key_of_call

_HALF = 128


def read_swap(call: MadeCall) -> Log | None:
    """Return the Swap log: the answer has both changes in one word."""
    key = key_of_call(call.frame.input)
    if key is None:
        return None
    both = word(call.frame.output, 0)
    changes = (_signed(both >> _HALF), _signed(both & ((1 << _HALF) - 1)))
    topics = (SWAP_TOPIC, key.pool_id, call.frame.sender)
    return made_log(call.frame.to, topics, (*changes, 0, 0, 0, key.fee))


def _signed(half: int) -> int:
    return half - (1 << _HALF) if half >> (_HALF - 1) else half


CALLS = {SWAP_SELECTOR: read_swap}
