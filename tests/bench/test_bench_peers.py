"""What `mev bench ssz` and `mev bench curves` measure: the same answers from ours and from the libraries."""

import pytest

from mev_dagster.bench import curves, ssz
from mev_dagster.evm.py_evm import bn254


@pytest.mark.parametrize(("name", "fork"), ssz.SUBMISSIONS.items())
def test_remerkleable_reads_a_published_submission_as_we_do(fixtures, name, fork):
    sample = ssz.read_sample(fixtures / "relay" / name, fork)
    assert sample.peer_value.encode_bytes() == sample.encoded
    assert bytes(sample.peer_value.hash_tree_root()) == sample.kind.hash_tree_root(sample.value)


def test_a_bench_of_ssz_without_its_fixtures_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("MEV_FIXTURES", str(tmp_path))
    (row,) = ssz.run(ssz.Options(quick=True))
    assert row.ok is None
    assert "MEV_FIXTURES" in row.note


def test_pairing_checks_hold_or_do_not_by_both_arithmetics():
    true, false = curves.make_checks()[:2]
    assert bn254.pairing_product_is_one(true.pairs)
    assert curves.by_py_ecc(true)
    assert not bn254.pairing_product_is_one(false.pairs)
    assert not curves.by_py_ecc(false)
