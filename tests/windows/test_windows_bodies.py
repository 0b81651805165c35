"""Bodies of a log to columns: the same rows whoever decodes them, in the log's order."""

import pytest
from ingest_events import body, numbered
from ingest_run import transfer

from mev_dagster.bench.transactions import generate, signing_key
from mev_dagster.chain.columns import decode_columns
from mev_dagster.chain.ecdsa import SECP256K1_N, sign_digest
from mev_dagster.chain.encoding import UnsignedTransaction
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.errors import DecodeError
from mev_dagster.windows.bodies import BodyDecoder, decode_bodies
from mev_dagster.windows.decode_workers import DecodeWorkers
from mev_dagster.windows.memory import DecodedTransactions
from mev_dagster.windows.rows import batch_of


def with_high_s():
    """A transaction as Frontier's blocks hold some: its s is above half of the group order."""
    unsigned = UnsignedTransaction(
        type=0, chain_id=None, nonce=1, to=bytes(20), gas_limit=21_000, gas_price_wei=1
    )
    parity, r, s = sign_digest(signing_key(1), unsigned.signing_hash())
    return decode_transaction(unsigned.encode_signed(28 - parity, r, SECP256K1_N - s), allow_high_s=True)


@pytest.fixture(scope="module")
def transactions():
    made = [decode_transaction(raw) for raw in generate(300, seed=3)]
    return [*made[:150], with_high_s(), *made[150:]]


def batch(transactions):
    return batch_of(numbered([body(transaction) for transaction in transactions]))


def expected(transactions):
    return decode_columns([transaction.raw for transaction in transactions], allow_high_s=True).rows


def test_workers_give_what_this_process_gives_and_old_signatures_too(transactions):
    with DecodeWorkers(1) as workers:
        by_workers = BodyDecoder(workers).begin(batch(transactions))()
    assert by_workers.equals(BodyDecoder().begin(batch(transactions))())
    assert by_workers.equals(expected(transactions))


@pytest.mark.parametrize("every", [1, 2, 1_000])
def test_what_is_known_already_stands_where_it_belongs(transactions, every):
    known = DecodedTransactions()
    for transaction in transactions[::every]:
        known.remember(transaction)
    assert BodyDecoder(known=known).begin(batch(transactions))().equals(expected(transactions))


def test_bytes_that_only_claim_a_known_hash_are_decoded():
    known, claimed, other = DecodedTransactions(), transfer(1), transfer(2)
    known.remember(claimed)
    rows = decode_bodies([other.raw], [claimed.hash], known)
    assert rows.column("tx_hash").to_pylist() == [other.hash]


def test_a_body_that_does_not_decode_is_an_error_with_its_reason():
    with pytest.raises(DecodeError, match="a body of the log"):
        decode_bodies([b"\x05\x05"], [bytes(32)])


def test_no_bodies_are_no_rows():
    assert BodyDecoder().begin(batch_of([]))().num_rows == 0
