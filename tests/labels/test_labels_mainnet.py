"""Labels of mainnet blocks against those of mev-inspect-py, and the command that prints them."""

import json
import subprocess
import sys

import pytest

from mev_dagster.errors import InputError
from mev_dagster.labels.decided import DECIDED
from mev_dagster.labels.gold import Gold, judge, read_gold
from mev_dagster.labels.label import label_block
from mev_dagster.labels.score import read_silver, score
from mev_dagster.labels.sources import landed_blocks


@pytest.fixture(scope="module")
def scored(fixtures):
    folders = [fixtures / name for name in ("blocks_prestate", "mev_inspect", "traces")]
    skipped = []
    blocks = list(landed_blocks(folders, unread=lambda path, failure: skipped.append((path.name, failure))))
    assert [(name, failure.code) for name, failure in skipped] == [
        ("17073191_prestate_diff.json.zst", "no_calls")
    ]
    labelled = [label_block(block) for block in blocks]
    return labelled, score(labelled, read_silver(fixtures / "labels"))


def counts(scored, kind):
    found = scored[1].silver[kind]
    return found.tp, found.fp, found.fn


def test_every_sandwich_and_liquidation_of_the_other_inspector_is_found_and_no_other(scored):
    assert counts(scored, "sandwiches") == (19, 0, 0)
    assert counts(scored, "liquidations") == (7, 0, 0)


def test_every_arbitrage_of_the_other_inspector_is_found_but_the_one_that_was_undone(scored):
    assert counts(scored, "arbitrages")[0::2] == (22, 1)
    assert scored[1].decided("arbitrages").recall == 1.0


def test_the_arbitrages_the_other_inspector_lacks_took_out_more_than_they_put_in(scored):
    labelled, compared = scored
    net = {one.tx_hashes[0].hex(): one.net_wei for labels in labelled for one in labels.of("arbitrage")}
    more = [one for one in compared.disagreements if (one.kind, one.side) == ("arbitrages", "ours")]
    assert len(more) == 14
    known = [net[one.key[0][2:]] for one in more if net[one.key[0][2:]] is not None]
    assert len(known) == 13  # the last is in a trace that does not tell prices of gas
    assert min(known) == 122667424086721


def test_every_swap_the_other_inspector_has_and_we_lack_was_undone(scored):
    lacking = [one for one in scored[1].disagreements if (one.kind, one.side) == ("swaps", "silver")]
    assert counts(scored, "swaps") == (864, 28, 40)
    assert {one.why.partition(",")[0] for one in lacking} == {
        "the transaction reverted",
        "the call that swapped was undone inside a transaction that went on",
    }


def test_every_disagreement_is_decided_and_nothing_else_is(scored):
    compared = scored[1]
    about = {(one.block, one.kind, one.side, one.key) for one in compared.disagreements}
    assert (compared.undecided, about) == (0, set(DECIDED.about))


def test_every_fact_asserted_by_hand_is_found_in_traces_too(scored, fixtures):
    recent = [
        label_block(block) for block in landed_blocks([fixtures / "blocks_recent" / "24628607.json.zst"])
    ]
    assert judge([*scored[0], *recent], read_gold(fixtures / "labels")) == Gold(expected=16, found=16)


def test_arbitrages_checked_by_hand_are_found_with_gross_and_net_to_the_wei_and_no_other(fixtures):
    """One goes through a module with a pocket, one is paid in ether that only calls show."""
    gold = json.loads((fixtures / "labels" / "24628607_arbitrages_gold.json").read_text())["cases"]
    (block,) = landed_blocks([fixtures / "blocks_recent" / "24628607.json.zst"])
    found = {
        "0x" + one.tx_hashes[0].hex(): (dict(one.profit)[block.wrapped_ether], one.net_wei)
        for one in label_block(block).of("arbitrage")
    }
    assert found == {
        one["tx_hash"]: (int(one["gross_profit_wei"]), int(one["searcher_eth_delta_wei"])) for one in gold
    }


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "mev_dagster", "label", *map(str, arguments)], capture_output=True, check=False
    )


def test_the_command_prints_one_document(fixtures):
    file = fixtures / "blocks_prestate" / "22615247.json.zst"
    document = json.loads(run(file, "--score", fixtures / "labels", "--json").stdout)
    (block,) = document["blocks"]
    (sandwich,) = block["sandwiches"]
    assert block["number"] == 22615247
    assert (document["txs"], len(sandwich["victims"])) == (26, 1)
    assert document["silver"]["sandwiches"] == {"precision": 1.0, "recall": 1.0, "tp": 1, "fp": 0, "fn": 0}
    explained = json.loads(run(file, "--explain", sandwich["frontrun"]["tx_hash"], "--json").stdout)
    assert explained["explain"]["labels"] == ["sandwich"]


@pytest.mark.parametrize("arguments", [["nowhere.json"], [".", "--explain", "0x12"]])
def test_bad_input_is_one_line_and_status_2(arguments, tmp_path):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("mev: bad_input: ")
    assert done.stderr.count(b"\n") == 1


def test_a_folder_without_silver_labels_is_named(tmp_path):
    with pytest.raises(InputError, match="no file of silver labels"):
        read_silver(tmp_path)
