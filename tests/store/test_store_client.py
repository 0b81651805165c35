"""What a caller of the store may rely on, whichever engine is behind it."""

import http.client
import ssl

import pytest
import urllib3
from store_rows import DAY, SLOT, opportunities, sightings, transactions

from mev_dagster.errors import StoreError, StoreUnreachable
from mev_dagster.store.client import Store
from mev_dagster.store.tables import TABLES


def test_amounts_hashes_and_times_come_back_exactly(store: Store):
    store.replace("opportunities", {"block_number": 7}, opportunities(1))
    [row] = store.frame("opportunities", blocks=range(7, 8)).to_dict("records")
    assert row["size_wei"] == 2**255 + 7
    assert row["expected_profit_wei"] == -5
    assert row["simulated_profit_wei"] is None
    assert row["tx_hashes"] == [b"a" * 32, b"b" * 32]
    assert row["block_time"].value == SLOT
    assert store.rows("SELECT size_wei, block_time FROM opportunities") == [(2**255 + 7, SLOT)]


def test_every_field_of_a_transaction_comes_back_as_it_was_given(store: Store):
    given = transactions(3)
    store.insert("transactions", given)
    frame = store.frame("transactions")
    for name, values in given.items():
        expected = [SLOT + index for index in range(3)] if name == "first_seen_at" else values
        found = [value.value for value in frame[name]] if name == "first_seen_at" else list(frame[name])
        assert found == expected, name
    assert store.rows("SELECT input, selector, nonce FROM transactions LIMIT 1") == [
        (b"\xff\x00\xfe" * 5, b"\xff\x00\xfe\xff", 2**64 - 2)
    ]


def test_hex_text_is_taken_for_a_hash_and_iso_text_for_a_time(store: Store):
    rows = sightings(1) | {"tx_hash": ["0x" + "ab" * 32], "seen_at": ["2024-01-02T03:04:05"]}
    store.insert("tx_sightings", rows)
    assert store.rows("SELECT tx_hash, seen_at FROM tx_sightings") == [
        (b"\xab" * 32, 1_704_164_645_000_000_000)
    ]


def test_values_can_be_bound_to_a_query(store: Store):
    store.insert("tx_sightings", sightings(5))
    found = store.rows(
        "SELECT seq FROM tx_sightings WHERE hex(tx_hash) = {hash:String} OR seq IN {seqs:Array(Int64)}"
        " ORDER BY seq",
        {"hash": "00" * 31 + "03", "seqs": [4]},
    )
    assert found == [(2,), (4,)]


def test_writing_a_block_twice_changes_nothing(store: Store):
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    first = store.digest("opportunities")
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    assert store.digest("opportunities") == first
    assert first.rows == 3


def test_a_replacement_patches_what_it_deletes_and_mutates_no_part(store: Store):
    for block in range(20):
        day = {"block_time": [SLOT + block * DAY] * 3}
        store.replace("opportunities", {"block_number": block}, opportunities(3) | day)
    again = opportunities(2) | {"block_time": [SLOT + 7 * DAY] * 2}
    store.replace("opportunities", {"block_number": 7}, again)
    assert store.count("opportunities", {"block_number": 7}) == 2
    assert store.scalar("SELECT count() FROM system.mutations WHERE table = 'opportunities'") == 0


def test_a_block_written_with_fewer_rows_keeps_none_of_the_old_ones(store: Store):
    store.replace("opportunities", {"block_number": 6}, opportunities(1))
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    store.replace("opportunities", {"block_number": 7}, opportunities(2, profit=9))
    assert store.rows("SELECT block_number, expected_profit_wei FROM opportunities ORDER BY ALL") == [
        (6, -5),
        (7, 9),
        (7, 9),
    ]
    store.replace("opportunities", {"block_number": 7}, {})
    assert store.count("opportunities") == 1


def test_a_run_killed_between_its_two_writes_is_mended_by_the_next(store: Store):
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    whole = store.digest("opportunities")
    killed = opportunities(5, profit=1) | {"block_number": [7] * 5}
    store.insert("opportunities", killed)  # the rows went in, the older version was not deleted
    assert store.count("opportunities") == 8
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    assert store.digest("opportunities") == whole


def test_of_two_runs_of_one_block_the_rows_of_exactly_one_remain(store: Store):
    """The slower run took its version first and wrote last; it must give way to the newer version."""
    slower = store.arrow("opportunities", opportunities(4, profit=1) | {"block_number": [7] * 4})
    store.replace("opportunities", {"block_number": 7}, opportunities(2, profit=2))
    late = {name: slower.column(name) for name in slower.schema.names}
    store.replace("opportunities", {"block_number": 7}, late)
    assert store.rows("SELECT expected_profit_wei FROM opportunities") == [(2,), (2,)]


def test_digests_differ_when_any_stable_value_does(store: Store):
    store.replace("opportunities", {"block_number": 7}, opportunities(2))
    before = store.digest("opportunities", {"block_number": 7})
    store.replace(
        "opportunities", {"block_number": 7}, opportunities(2) | {"simulated_profit_wei": [None, 0]}
    )
    assert store.digest("opportunities", {"block_number": 7}) != before


def test_only_hashes_that_are_new_are_inserted(store: Store):
    assert store.insert_new("transactions", transactions(3), key="tx_hash") == 3
    assert store.insert_new("transactions", transactions(5, first=1), key="tx_hash") == 3
    assert store.insert_new("transactions", transactions(5, first=1), key="tx_hash") == 0
    assert store.count("transactions") == 6


def test_a_hash_older_than_where_one_looks_counts_as_new(store: Store):
    store.insert_new("transactions", transactions(2), key="tx_hash")
    assert store.insert_new("transactions", transactions(2), key="tx_hash", since=SLOT + 1) == 1
    assert store.insert_new("transactions", transactions(100), key="tx_hash", since=SLOT + 10) == 100


def test_frames_are_cut_by_block_and_by_time(store: Store):
    store.insert("tx_sightings", sightings(3, window=1))
    store.insert("tx_sightings", sightings(3, window=2, first_seq=3, at=SLOT + DAY))
    assert list(store.frame("tx_sightings", blocks=range(2, 3))["seq"]) == [3, 4, 5]
    assert list(store.frame("tx_sightings", until=SLOT + 2)["seq"]) == [0, 1]
    assert list(store.frame("tx_sightings", since=SLOT + DAY + 5, columns=["seq"])["seq"]) == [5]
    assert store.frame("tx_sightings", blocks=range(9, 10)).empty


def test_rows_of_many_days_go_in_as_one_batch(store: Store):
    days = 150
    rows = sightings(days) | {"seen_at": [SLOT - day * DAY for day in range(days)]}
    assert store.insert("tx_sightings", rows) == days
    assert store.count("tx_sightings") == days


def test_more_rows_than_one_block_of_the_protocol_all_arrive(store: Store):
    assert store.insert("tx_sightings", sightings(120_000)) == 120_000
    assert store.count("tx_sightings") == 120_000


def test_a_column_that_is_missing_unknown_or_of_the_wrong_width_is_named(store: Store):
    with pytest.raises(StoreError, match="needs block_number, rank"):
        store.insert("opportunities", {k: v for k, v in opportunities(1).items() if k != "rank"})
    with pytest.raises(StoreError, match="no column colour"):
        store.insert("opportunities", {"colour": ["red"]})
    with pytest.raises(StoreError, match=r"parent_hash: expected 32 bytes, found 3"):
        store.replace("opportunities", {"block_number": 1}, opportunities(1) | {"parent_hash": [b"abc"]})
    with pytest.raises(StoreError, match="columns differ in length"):
        store.replace("opportunities", {"block_number": 1}, opportunities(2) | {"rank": [1]})
    with pytest.raises(StoreError, match="a value is missing"):
        store.replace("opportunities", {"block_number": 1}, opportunities(1) | {"gas_used": [None]})
    with pytest.raises(StoreError, match="size_wei"):
        store.replace("opportunities", {"block_number": 1}, opportunities(1) | {"size_wei": [-1]})
    with pytest.raises(StoreError, match="no table 'oportunities'"):
        store.frame("oportunities")
    assert store.count("opportunities") == 0


def test_a_refused_statement_says_so_with_clickhouses_code(store: Store):
    with pytest.raises(StoreError, match=r"^Code: 60\. .*nowhere.* \(UNKNOWN_TABLE\)"):
        store.rows("SELECT * FROM nowhere")
    with pytest.raises(StoreError, match=r"^Code: 62\. "):
        store.command("SELEC 1")
    with pytest.raises(StoreError, match=r"^Code: 47\. "):
        store.query("SELECT nothing FROM blocks")


def test_every_table_has_a_comment_for_each_column_and_a_readable_view(store: Store):
    for table in TABLES.values():
        assert all(column.comment for column in table.columns), table.name
        assert store.rows(f"SELECT * FROM v_{table.name} LIMIT 0") == []
    store.replace("opportunities", {"block_number": 7}, opportunities(1))
    assert store.rows("SELECT opportunity_id, tx_hashes FROM v_opportunities") == [
        ("0x" + "00" * 32, ["0x" + "61" * 32, "0x" + "62" * 32])
    ]


@pytest.mark.parametrize(
    "broken",
    [
        ConnectionResetError("reset"),
        http.client.RemoteDisconnected("closed"),
        http.client.IncompleteRead(b"", 3),
        ssl.SSLError("eof"),
        TimeoutError("slow"),
        urllib3.exceptions.ProtocolError("broken"),
        urllib3.exceptions.ReadTimeoutError(None, "/", "slow"),
    ],
)
def test_what_breaks_off_in_an_answer_is_a_store_that_was_not_reached(local_store, monkeypatch, broken):
    def fails(*_, **__):
        raise broken

    monkeypatch.setattr(local_store._client, "query", fails)
    monkeypatch.setattr(local_store._client, "raw_query", fails)
    for ask in (local_store.rows, local_store.query, local_store.table):
        with pytest.raises(StoreUnreachable, match=type(broken).__name__):
            ask("SELECT 1")


def test_an_answer_that_is_cut_off_is_a_store_that_was_not_reached(local_store, monkeypatch):
    monkeypatch.setattr(local_store._client, "raw_query", lambda *_, **__: b"ARROW1\0\0cut")
    with pytest.raises(StoreUnreachable, match="no Arrow file"):
        local_store.query("SELECT 1")
