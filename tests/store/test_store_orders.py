"""Messages to the builder come back from the store as they were sent, for the blocks they bear on."""

from mev_dagster.blockrun.orders import message_columns, stored_messages
from mev_dagster.pbs.order_entry import OrderMessage

SECOND = 10**9
AT = 1_800_000_000 * SECOND


def message(arrival: int, first: int, last: int, *, at_ns: int = AT, signer: bytes | None = b"\x51" * 20):
    order_id = arrival.to_bytes(32, "big")
    return OrderMessage(order_id, at_ns, arrival, "eth_sendBundle", signer, '[{"txs":[]}]', first, last)


def test_a_block_reads_what_had_arrived_and_bears_on_it(local_store):
    now = [
        message(1, 99_990, 100_000),
        message(2, 100_000, 100_003, signer=None),
        message(3, 99_000, 99_999),
        message(4, 100_000, 100_000, at_ns=AT + SECOND),
        message(5, 100_200, 100_200),
    ]
    local_store.insert("orders", message_columns(now))
    assert stored_messages(local_store, 100_000, AT) == now[:2]
