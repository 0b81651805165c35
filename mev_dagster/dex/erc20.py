"""Token movements as logs tell them: ERC-20 transfers, and ether wrapped and unwrapped."""

from collections.abc import Sequence
from typing import NamedTuple

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word

TRANSFER_TOPIC = topic("Transfer(address,address,uint256)")
DEPOSIT_TOPIC = topic("Deposit(address,uint256)")
WITHDRAWAL_TOPIC = topic("Withdrawal(address,uint256)")


class Transfer(NamedTuple):
    """`amount` of `token` from one holder to another; wrapping ether comes from the token's own address."""

    token: bytes
    sender: bytes
    recipient: bytes
    amount: int
    log_position: int


def transfers_of(logs: Sequence[Log]) -> tuple[Transfer, ...]:
    """Return the fungible transfers, deposits and withdrawals in log order.

    An ERC-721 transfer has the same topic but indexes its third argument, so it has no data.
    """
    found = []
    for position, log in enumerate(logs):
        if not log.topics or len(log.data) != 32:
            continue
        kind, amount = log.topics[0], word(log.data, 0)
        if kind == TRANSFER_TOPIC and len(log.topics) == 3:
            sender, recipient = log.topics[1][12:], log.topics[2][12:]
        elif kind == DEPOSIT_TOPIC and len(log.topics) == 2:
            sender, recipient = log.address, log.topics[1][12:]
        elif kind == WITHDRAWAL_TOPIC and len(log.topics) == 2:
            sender, recipient = log.topics[1][12:], log.address
        else:
            continue
        found.append(Transfer(log.address, sender, recipient, amount, position))
    return tuple(found)
