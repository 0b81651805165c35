"""What is read of one pending transaction."""

import eth_abi

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import EMPTY_CODE_HASH
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account, BlockEnv
from mev_dagster.features.mempool import PendingTx
from mev_dagster.features.rows import tx_feature_columns
from mev_dagster.features.tx import features_of
from mev_dagster.store.tables import TABLES

ALICE, BOB = b"\x01" * 32, b"\x02" * 32
ROUTER, TOKEN, WETH = b"\x0a" * 20, b"\x0b" * 20, b"\x0c" * 20
ENV = BlockEnv(1, Fork.CANCUN, 100, 1_700_000_000, b"\0" * 20, 30_000_000, 10)
SWAP = bytes.fromhex("7ff36ab5") + eth_abi.encode(
    ["uint256", "address[]", "address", "uint256"], (77, [WETH, TOKEN], b"\x0d" * 20, 99)
)


def tx(key, nonce, *, fee, tip, data=b"", value=0):
    return sign_transaction(
        key,
        chain_id=1,
        nonce=nonce,
        to=ROUTER,
        gas_limit=200_000,
        value_wei=value,
        data=data,
        max_fee_per_gas_wei=fee,
        max_priority_fee_per_gas_wei=tip,
    )


def read(*txs):
    state = Prestate({address_of(ALICE): Account(0, 4, EMPTY_CODE_HASH)}, {})
    pending = [PendingTx(entry, 1_000, 2, False) for entry in txs]
    return features_of(pending, state, ENV, 5_000)


def test_a_router_swap_is_read():
    swap = tx(ALICE, 4, fee=20, tip=3, data=SWAP, value=500)
    row = read(swap)[swap.hash]
    assert row.router == ROUTER
    assert (row.call.amount_in, row.call.amount_out, row.call.path) == (500, 77, (WETH, TOKEN))
    assert (row.gas_price_wei, row.priority_fee_wei, row.age_ns, row.sightings) == (13, 3, 4_000, 2)


def test_a_broken_router_call_is_no_swap():
    broken = tx(ALICE, 4, fee=20, tip=3, data=SWAP[:-64])
    assert read(broken)[broken.hash].call is None


def test_ranks_follow_the_effective_tip():
    capped, high, low = tx(ALICE, 4, fee=11, tip=9), tx(ALICE, 5, fee=30, tip=9), tx(ALICE, 6, fee=30, tip=1)
    rows = read(capped, high, low)
    assert rows[high.hash].fee_rank == 0
    assert {rows[capped.hash].fee_rank, rows[low.hash].fee_rank} == {1, 2}


def test_a_fee_below_the_base_fee_has_no_price():
    poor = tx(ALICE, 4, fee=9, tip=1)
    row = read(poor)[poor.hash]
    assert (row.gas_price_wei, row.priority_fee_wei) == (None, None)


def test_the_nonce_gap_is_unknown_where_the_sender_is():
    later, stranger = tx(ALICE, 6, fee=20, tip=1), tx(BOB, 0, fee=20, tip=1)
    rows = read(later, stranger)
    assert (rows[later.hash].nonce_gap, rows[stranger.hash].nonce_gap) == (2, None)


def test_the_columns_are_those_of_the_table():
    rows = read(tx(ALICE, 4, fee=20, tip=3, data=SWAP), tx(BOB, 0, fee=9, tip=1))
    table = TABLES["tx_features"]
    columns = tx_feature_columns(100, 5_000, rows.values())
    assert set(columns) == set(table.names) - {table.version_column}
    for name, values in columns.items():
        assert len(table[name].type.encode(values, name)) == 2
