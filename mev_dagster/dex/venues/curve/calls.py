"""What the calls of Curve's pools would have logged: old ones answer nothing, and what they sent tells."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import selector, topic, word
from mev_dagster.dex.called import MadeCall, made_log

STABLE_TOPIC = topic("TokenExchange(address,int128,uint256,int128,uint256)")

_EXCHANGES = tuple(
    selector(f"{name}({','.join(arguments)})")
    for name in ("exchange", "exchange_underlying")
    for index in ("int128", "uint256")
    for arguments in (
        (index, index, "uint256", "uint256"),
        (index, index, "uint256", "uint256", "bool"),
        (index, index, "uint256", "uint256", "address"),
        (index, index, "uint256", "uint256", "bool", "address"),
    )
)


def read_exchange(call: MadeCall) -> Log | None:
    """Return the TokenExchange log, None where nothing tells what was given."""
    sold, bought, amount = (word(call.arguments, index) for index in range(3))
    given = call.moved(sender=call.frame.to)
    if len(call.frame.output) >= 32:
        received = word(call.frame.output, 0)
    elif given:
        received = word(given[-1].data, 0)
    else:
        return None
    return made_log(call.frame.to, (STABLE_TOPIC, call.frame.sender), (sold, amount, bought, received))


CALLS = dict.fromkeys(_EXCHANGES, read_exchange)
