"""Stored messages become a block's bundles, and every state an order came into is a row."""

from types import SimpleNamespace

from mev_dagster.blockrun import orders
from mev_dagster.chain.forks import Fork, devnet_schedule
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.context import BlockContext, Proposer
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.order_entry import OrderEntry
from mev_dagster.pbs.template import build_template
from mev_dagster.store.tables import TABLES
from mev_dagster.units import ETHER, GWEI

NUMBER, TIME = 100, 1_800_000_000
SECRETS = [keccak(b"orders of a block %d" % number) for number in range(4)]
SIGNER = b"\x51" * 20


def transfer(sender: int, nonce: int = 0):
    return sign_transaction(
        SECRETS[sender], chain_id=31_337, nonce=nonce, to=b"\x01" * 20, value_wei=1, gas_limit=21_000,
        max_fee_per_gas_wei=100 * GWEI, max_priority_fee_per_gas_wei=(1 + sender) * GWEI,
    )  # fmt: skip


def template_of(bundles, pending):
    accounts = {address_of(secret): Account(ETHER, 0, EMPTY_CODE_HASH) for secret in SECRETS}
    context = BlockContext(
        devnet_schedule(Fork.PRAGUE), TIME, NUMBER, b"\x11" * 32, TIME, b"\x22" * 32, 30_000_000, 7 * GWEI,
        (), 0, b"\x33" * 32,
    )  # fmt: skip
    proposer = Proposer(b"\xa5" * 48, b"\x9e" * 20, 30_000_000)
    state = Prestate(accounts, {}, {}, complete=True)
    keys = Keyring.test_only("orders")
    return build_template(get_engine(), state, context, proposer, keys, bundles=bundles, pending=pending)


class Stored:
    """A store that gives back the messages it was handed, and keeps what replaces rows."""

    def __init__(self, columns):
        self.columns, self.asked, self.replaced = columns, None, {}

    def rows(self, sql, asked):
        self.asked = asked
        names = (
            "order_id",
            "received_at",
            "arrival",
            "method",
            "signer",
            "params",
            "first_block",
            "last_block",
        )
        return list(zip(*(self.columns[name] for name in names), strict=True))

    def replace(self, table, where, columns):
        self.replaced[table] = where, columns


def test_what_was_sent_is_in_the_block_and_each_state_of_it_is_a_row():
    entry = OrderEntry()
    entry.landed(NUMBER - 1, ())

    def send(*txs, **fields):
        said = {"txs": [to_hex(tx.raw) for tx in txs], "blockNumber": hex(NUMBER), **fields}
        entry.receive("eth_sendBundle", [said], signer=SIGNER, received_ns=5)

    send(transfer(0), replacementUuid="a")
    send(transfer(0), transfer(0, 1), replacementUuid="a")
    send(transfer(1, 9))
    columns = orders.message_columns(entry.taken())
    assert set(columns) == {c.name for c in TABLES["orders"].columns if c.name != "stored_at"}
    store = Stored(columns)
    inputs = SimpleNamespace(pending=(), at_ns=7)
    block = SimpleNamespace(transactions=[transfer(2)])
    run = SimpleNamespace(number=NUMBER, store=store, inputs=inputs, block=block, replace=store.replace)

    pool = orders.pool_of(run)
    template = template_of(tuple(pool.for_block(NUMBER, TIME)), [transfer(2), transfer(3, 4)])
    orders.store_events(run, pool, template)

    assert store.asked["at_ns"] == 7
    where, rows = store.replaced["order_events"]
    assert where == {"block_number": NUMBER}
    assert set(rows) == {
        column.name for column in TABLES["order_events"].columns if column.name != "stored_at"
    }
    states = list(zip(rows["kind"], rows["state"], rows["reason"], strict=True))
    assert states == [
        ("", "received", ""),
        ("", "replaced", ""),
        ("", "received", ""),
        ("", "received", ""),
        ("", "expired", "window_over"),
        ("", "expired", "window_over"),
        ("bundle", "included", ""),
        ("pending", "included", ""),
        ("bundle", "dropped", "not_executable"),
        ("pending", "dropped", "nonce_too_high"),
    ]
    assert rows["value_wei"][6] == 2 * 21_000 * GWEI
