"""A blob transaction enters with its sidecar, and the submission carries it; else its reason is counted."""

from dataclasses import replace

import pytest
from pbs_devnet import BASE_FEE, CHAIN_ID, ETHER, GWEI, KEYS, PROPOSER, Candidate, context, state

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.demo.blobs import COMMITMENTS, INFINITY, ConstantBlob
from mev_dagster.evm.engines import get_engine
from mev_dagster.pbs import checks
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import build_template, submission_of
from mev_dagster.pbs.types import BlobsBundle

KEYRING = Keyring.test_only("sidecar tests")


def blob_tx(sender: int, *elements: int):
    return sign_transaction(
        KEYS[sender], type=3, chain_id=CHAIN_ID, nonce=0, to=b"\x01" * 20, gas_limit=21_000,
        max_fee_per_gas_wei=10 * BASE_FEE, max_priority_fee_per_gas_wei=5 * GWEI,
        max_fee_per_blob_gas_wei=GWEI,
        blob_versioned_hashes=[ConstantBlob(element).versioned_hash for element in elements],
    )  # fmt: skip


def sidecar(*elements: int) -> BlobsBundle:
    return BlobsBundle(
        tuple(COMMITMENTS[element] for element in elements),
        (INFINITY,) * len(elements),
        tuple(ConstantBlob(element).data for element in elements),
    )


def build(txs, sidecars, fork=Fork.PRAGUE, candidates=()):
    return build_template(
        get_engine(), state(), context(fork), PROPOSER, KEYRING,
        pending=txs, candidates=candidates, sidecars=sidecars,
    )  # fmt: skip


def test_the_bundle_holds_the_blobs_of_the_block_in_its_order_and_their_proofs_hold():
    one, two = blob_tx(0, 1), blob_tx(1, 0, 1)
    template = build([one, two], {one.hash: sidecar(1), two.hash: sidecar(0, 1)})
    submission = submission_of(template, KEYRING)
    assert {item.order.order_id for item in template.included} == {one.hash, two.hash}
    decoded, _ = checks.transactions(submission)
    assert checks.blobs(submission, decoded).message == "3 blobs, 3 proofs hold"


def test_a_candidate_with_a_blob_transaction_nobody_has_the_blobs_of_stays_out():
    template = build([], {}, candidates=[Candidate((blob_tx(0, 1),), ETHER)])
    assert [item.code for item in template.dropped] == ["blob_sidecar_absent"]


@pytest.mark.parametrize(
    ("held", "fork"),
    [
        (sidecar(0), Fork.PRAGUE),  # another blob
        (replace(sidecar(1), blobs=()), Fork.PRAGUE),
        (replace(sidecar(1), proofs=()), Fork.PRAGUE),
        (sidecar(1), Fork.OSAKA),  # wants a proof for each cell
    ],
)
def test_a_sidecar_that_is_not_the_transaction_s_is_no_sidecar(held, fork):
    tx = blob_tx(0, 1)
    template = build([tx], {tx.hash: held}, fork)
    assert [item.code for item in template.dropped] == ["blob_sidecar_mismatch"]
    assert submission_of(template, KEYRING).blobs_bundle == BlobsBundle()
