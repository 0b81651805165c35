"""The pool's entry: a message comes in by its method, changes the pool, and becomes a row to store.

Whoever serves JSON-RPC hands `receive` the method, the parameters and the address that signed the request,
and answers with what it returns; what it raises is the sender's mistake. `taken` gives what is to be stored.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import InputError
from mev_dagster.pbs.order_messages import MOST_BLOCKS_AHEAD, Find, MessageSender, SentCancel, read_message
from mev_dagster.pbs.order_pool import OrderPool

MOST_WAITING = 16_384
"""Messages that nobody has taken yet; more are refused."""


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """One accepted message as it is stored: read again, it does to a pool what it did."""

    order_id: bytes
    received_ns: int
    arrival: int
    method: str
    signer: bytes | None
    params: str
    first_block: int
    last_block: int


@dataclass(slots=True)
class OrderEntry:
    """Takes messages into a pool. `find` knows pending transactions by their hash."""

    pool: OrderPool = field(default_factory=OrderPool)
    find: Find = lambda tx_hash: None
    head: int = 0
    _arrivals: int = 0
    _waiting: list[OrderMessage] = field(default_factory=list)

    def receive(self, method: str, params: Any, *, signer: bytes | None, received_ns: int) -> Any:
        """Take a message and return its answer; `InputError` where it is refused, with the reason."""
        if len(self._waiting) >= MOST_WAITING:
            raise InputError(f"{method}: the pool takes no more for now")
        self._arrivals += 1
        sender = MessageSender(signer, self._arrivals, self.head)
        sent = read_message(method, params, sender, self.find)
        params_text = json.dumps(params, sort_keys=True, separators=(",", ":"))
        if isinstance(sent, SentCancel):
            self.pool.cancel(sent.replacement)
            order_id = keccak(method.encode() + params_text.encode())
            first, last = self.head + 1, self.head + MOST_BLOCKS_AHEAD
        else:
            if not self.pool.add(sent.order, sent.window, sent.replacement):
                raise InputError(f"{method}: {self.pool.events[-1].reason}")
            order_id, first, last = sent.order.order_id, sent.window.first_block, sent.window.last_block
        self._waiting.append(
            OrderMessage(order_id, received_ns, self._arrivals, method, signer, params_text, first, last)
        )
        return sent.answer

    def landed(self, block: int, tx_hashes: Sequence[bytes]) -> None:
        """Let go of what landed, and of what can enter no later block."""
        self.head = max(self.head, block)
        self.pool.landed(block, tx_hashes)

    def taken(self) -> list[OrderMessage]:
        """Return the messages since last time: whoever takes them stores them."""
        taken, self._waiting = self._waiting, []
        return taken


def pool_at(messages: Sequence[OrderMessage], block: int, find: Find) -> OrderPool:
    """Return the pool that stored messages make before a block; one that means nothing now is left out.

    A transaction that a share bundle names by its hash may have landed since.
    """
    pool = OrderPool()
    pool.landed(block - 1, ())
    for one in sorted(messages, key=lambda one: (one.received_ns, one.arrival, one.order_id)):
        sender = MessageSender(one.signer, one.arrival, one.first_block - 1)
        try:
            sent = read_message(one.method, json.loads(one.params), sender, find)
        except (InputError, ValueError):
            continue
        if isinstance(sent, SentCancel):
            pool.cancel(sent.replacement)
        else:
            pool.add(sent.order, sent.window, sent.replacement)
    return pool
