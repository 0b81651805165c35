"""The chain of a log is learned once, kept beside it, and compared at every connect."""

import pytest

from mev_dagster.errors import LogCorrupt, WrongChain
from mev_dagster.node.identity import ChainIdentity, ChainPin

GENESIS = b"\x01" * 32


def test_the_first_node_decides_and_a_later_process_knows(tmp_path):
    ChainPin(tmp_path / "chain.json").check(ChainIdentity(1, GENESIS), "a")
    again = ChainPin(tmp_path / "chain.json")
    assert (again.chain_id, again.genesis_hash, again.confirmed) == (1, GENESIS, True)


@pytest.mark.parametrize("other", [ChainIdentity(5, GENESIS), ChainIdentity(1, b"\x02" * 32)])
def test_another_chain_is_refused_and_changes_nothing(tmp_path, other):
    pin = ChainPin(tmp_path / "chain.json")
    pin.check(ChainIdentity(1, GENESIS), "a")
    with pytest.raises(WrongChain, match="b: expected"):
        pin.check(other, "b")
    assert ChainPin(tmp_path / "chain.json").chain_id == 1


def test_a_node_that_no_longer_has_its_first_block_is_taken_by_its_id(tmp_path):
    pin = ChainPin(tmp_path / "chain.json")
    pin.check(ChainIdentity(1), "pruned")
    pin.check(ChainIdentity(1, GENESIS), "archive")
    pin.check(ChainIdentity(1), "pruned")
    assert ChainPin(tmp_path / "chain.json").genesis_hash == GENESIS


def test_settings_that_name_another_chain_than_the_log_are_refused(tmp_path):
    ChainPin(tmp_path / "chain.json").check(ChainIdentity(1, GENESIS), "a")
    with pytest.raises(WrongChain, match="the log is of chain 1, the settings say 5"):
        ChainPin(tmp_path / "chain.json", chain_id=5)


def test_a_file_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / "chain.json").write_text("{}")
    with pytest.raises(LogCorrupt):
        ChainPin(tmp_path / "chain.json")
