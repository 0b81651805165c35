"""The orders of a block: the pool that stored messages make, and what became of each as rows."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from mev_dagster.blockrun.run import BlockRun
from mev_dagster.pbs.order_entry import OrderMessage, pool_at
from mev_dagster.pbs.order_messages import MOST_BLOCKS_AHEAD
from mev_dagster.pbs.order_pool import EVENTS_KEPT, OrderPool
from mev_dagster.pbs.rows import order_event_rows
from mev_dagster.pbs.template import BlockTemplate
from mev_dagster.store.client import Store
from mev_dagster.units import NS_PER_SECOND

MESSAGES_TABLE, EVENTS_TABLE = "orders", "order_events"
STORED_ORDERS_SQL = (resources.files("mev_dagster.blockrun") / "stored_orders.sql").read_text()


def message_columns(messages: Sequence[OrderMessage]) -> dict[str, list[Any]]:
    """Return the `orders` rows of what an entry has taken: whoever runs the entry stores them."""
    names = ("arrival", "order_id", "method", "signer", "params", "first_block", "last_block")
    columns: dict[str, list[Any]] = {name: [getattr(one, name) for one in messages] for name in names}
    return {"received_at": [one.received_ns for one in messages], **columns}


def pool_of(run: BlockRun) -> OrderPool:
    """Return the pool as it stood when the block's window closed."""
    inputs = run.inputs
    pending = {entry.tx.hash: entry.tx for entry in inputs.pending}
    return pool_at(stored_messages(run.store, run.number, inputs.at_ns), run.number, pending.get)


def stored_messages(store: Store, number: int, at_ns: int) -> list[OrderMessage]:
    """Read the messages that may bear on a block."""
    asked = {"number": number, "furthest": number + MOST_BLOCKS_AHEAD, "at_ns": at_ns, "limit": EVENTS_KEPT}
    return [
        OrderMessage(order_id, received_ns, arrival, method, signer, params, first, last)
        for order_id, received_ns, arrival, method, signer, params, first, last in store.rows(
            STORED_ORDERS_SQL, asked
        )
    ]


def store_events(run: BlockRun, pool: OrderPool, template: BlockTemplate) -> None:
    """Store every state that the block's orders came into: in the pool, and in the template."""
    pool.landed(run.number, [tx.hash for tx in run.block.transactions])
    header = template.sealed.block.header
    columns = order_event_rows(header.number, header.timestamp * NS_PER_SECOND, pool.events, template)
    run.replace(EVENTS_TABLE, {"block_number": run.number}, columns)
