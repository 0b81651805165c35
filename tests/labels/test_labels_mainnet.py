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


GROSS_OF_24628607 = {
    "0x00d77aedb3ef672e8cd59af4b91d28dcbd4d44d33a83402cf7b2d93da185e52c": 177534144693332,
    "0xeea2da96020903ec0fbf8be56eb3204d44775b714750ac7d10e95c546751b0db": 40884318789102,
    "0x78aa3b511ef8071bf628cdf1f1374a50858bc70cbb2e5bd2de6d9c45ec04015d": 188657849126667,
    "0xea38349f2963cbd510f400ed8e2a1695abcdbac18b40e6bd508ae7450caaa723": 6630261373178140,
    "0xbd2db2ae4872d6c705cbf889e7ca7e7e09eeaa581bed74206203b50cc1172cd5": 453195500092444,
}
"""By hand, to the wei: one through a module with a pocket, the last paid in ether that only calls show."""


def test_arbitrages_checked_by_hand_are_found_with_their_gross_and_no_other(fixtures):
    (block,) = landed_blocks([fixtures / "blocks_recent" / "24628607.json.zst"])
    labels = label_block(block)
    found = {"0x" + one.tx_hashes[0].hex(): one for one in labels.of("arbitrage")}
    assert {tx_hash: dict(one.profit)[block.wrapped_ether] for tx_hash, one in found.items()} == (
        GROSS_OF_24628607
    )


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
