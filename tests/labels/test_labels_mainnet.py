"""Labels of mainnet blocks against those of mev-inspect-py, and the command that prints them."""

import json
import subprocess
import sys

import pytest

from mev_dagster.errors import InputError
from mev_dagster.labels.label import label_block
from mev_dagster.labels.score import read_silver, score
from mev_dagster.labels.sources import landed_blocks


@pytest.fixture(scope="module")
def scored(fixtures):
    labelled = [label_block(block) for block in landed_blocks([fixtures / "blocks_prestate"])]
    return score(labelled, read_silver(fixtures / "labels"))


def test_every_sandwich_of_the_other_inspector_is_found_and_no_other(scored):
    found = scored.silver["sandwiches"]
    assert (found.tp, found.fp, found.fn) == (11, 0, 0)


def test_every_arbitrage_of_the_other_inspector_is_found(scored):
    found = scored.silver["arbitrages"]
    assert (found.tp, found.fn) == (8, 0)


def test_the_arbitrages_the_other_inspector_lacks_take_out_more_than_they_put_in(scored, fixtures):
    more = {one.key[0]: one.block for one in scored.disagreements if one.kind == "arbitrages"}
    files = [fixtures / "blocks_prestate" / f"{number}.json.zst" for number in sorted(more.values())]
    profits = {}
    for labels in (label_block(block) for block in landed_blocks(files)):
        for found in labels.of("arbitrage"):
            profits["0x" + found.tx_hashes[0].hex()] = found.net_wei
    assert sorted(profits[tx_hash] for tx_hash in more) == [
        676061677117320,
        10123008285247068,
        25252034321240292,
        43063393109072558,
    ]


def test_every_swap_the_other_inspector_has_and_we_lack_belongs_to_a_reverted_transaction(scored):
    found = scored.silver["swaps"]
    assert (found.tp, found.fp, found.fn) == (392, 20, 13)
    lacking = [one for one in scored.disagreements if one.kind == "swaps" and one.side == "silver"]
    # A Curve pool that swaps ether, which counts as its wrapped form here, and one among many stable coins.
    others = {one.key[1] for one in lacking if one.why != "the transaction reverted, so nothing was swapped"}
    assert others == {
        "0xc5424b857f758e906013f3555dad202e4bdb4567",
        "0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7",
    }


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
    with pytest.raises(InputError, match="no such file"):
        read_silver(tmp_path)
