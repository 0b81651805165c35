"""What a node announces with eth_config extends the schedule; what nobody knows is unknown, never guessed."""

from dataclasses import replace

import pytest

from mev_dagster.chain.forks import BLOB_PARAMETERS, BlobParameters, Fork
from mev_dagster.chain.networks import HOODI, MAINNET, SEPOLIA
from mev_dagster.errors import InputError, NodeAnswerError, UnsupportedFork
from mev_dagster.evm.node.forks import extended_by_config, schedule_of, schedule_of_config

CONTRACTS = {
    "BEACON_ROOTS_ADDRESS": "0x1",
    "HISTORY_STORAGE_ADDRESS": "0x2",
    "DEPOSIT_CONTRACT_ADDRESS": "0x3",
}
AMSTERDAM = CONTRACTS | {"BUILDER_DEPOSIT_CONTRACT_ADDRESS": "0x4", "BUILDER_EXIT_CONTRACT_ADDRESS": "0x5"}
PRECOMPILES = {"ECREC": "0x" + "00" * 19 + "01", "P256VERIFY": "0x" + "00" * 18 + "0100"}
LATER = 1_900_000_000


def entry(start, target=14, maximum=21, fraction=11_684_671, *, contracts=CONTRACTS, precompiles=PRECOMPILES):
    return {
        "activationTime": start,
        "blobSchedule": {"target": target, "max": maximum, "baseFeeUpdateFraction": fraction},
        "systemContracts": contracts,
        "precompiles": precompiles,
    }


NOW = entry(1_767_747_671)


def told(following, schedule=MAINNET, last=None):
    return extended_by_config(schedule, {"current": NOW, "next": following, "last": last or following})


def at(schedule, time=LATER):
    return schedule.fork_at(1 << 40, time), schedule.blobs_at(1 << 40, time), schedule.name_at(1 << 40, time)


def test_nothing_new_leaves_the_schedule_as_it_is():
    assert extended_by_config(MAINNET, {"current": NOW, "next": None, "last": None}) == MAINNET


def test_a_fork_of_blob_numbers_alone_keeps_the_rules_and_takes_its_numbers():
    assert at(told(entry(LATER, 22, 33, 18_000_000))) == (
        Fork.BPO2,
        BlobParameters(22, 33, 18_000_000),
        "BPO3",
    )


def test_amsterdam_is_told_by_its_system_contracts_and_keeps_the_blobs():
    found = told(entry(LATER, contracts=AMSTERDAM))
    assert at(found) == (Fork.AMSTERDAM, BLOB_PARAMETERS[Fork.BPO2], "AMSTERDAM")


def test_two_forks_ahead_are_both_taken_up():
    third = entry(LATER + 10, 22, 33, 18_000_000, contracts=AMSTERDAM)
    found = told(entry(LATER, contracts=AMSTERDAM), last=third)
    assert at(found)[0] is Fork.AMSTERDAM
    assert at(found, LATER + 10) == (Fork.AMSTERDAM, BlobParameters(22, 33, 18_000_000), "BPO3")


@pytest.mark.parametrize(
    "following",
    [
        entry(LATER, contracts=CONTRACTS | {"FRAME_ADDRESS": "0x9"}),
        entry(LATER, precompiles=PRECOMPILES | {"NEW": "0x" + "00" * 18 + "0101"}),
        entry(LATER),  # it changes something, and nothing that is told here
        entry(LATER, contracts={}, precompiles={}),
    ],
)
def test_a_fork_that_brings_what_is_not_known_here_is_unknown(following):
    fork, _, name = at(told(following))
    assert (fork, name) == (
        Fork.UNKNOWN,
        f"unknown since {LATER}" if fork is Fork.UNKNOWN else name,
    ) or name == "UNKNOWN"
    assert at(told(following), LATER - 1)[0] is Fork.BPO2


def test_what_was_planned_after_an_unknown_fork_is_unknown_too():
    before_amsterdam = 1_791_294_000
    found = told(entry(before_amsterdam), schedule=SEPOLIA)
    assert found.fork_at(1 << 40, 1_791_294_816) is Fork.UNKNOWN


def test_a_network_that_is_not_known_runs_what_its_node_says():
    found = schedule_of_config(777, {"current": entry(5, 3, 6, 100), "next": entry(LATER, 4, 8, 200)})
    assert at(found, 0) == (Fork.OSAKA, BlobParameters(3, 6, 100), "OSAKA")
    assert at(found)[:2] == (Fork.OSAKA, BlobParameters(4, 8, 200))
    known = schedule_of_config(777, {"current": entry(5, 10, 15, 8_346_193)})
    assert at(known, 0) == (Fork.BPO1, BLOB_PARAMETERS[Fork.BPO1], "BPO1")


@pytest.mark.parametrize(
    ("following", "reason"),
    [
        (entry(LATER, 9, 6), "target 9 and maximum 6"),
        ({"activationTime": LATER}, "unexpected form"),
        (
            {**entry(LATER), "blobSchedule": {"target": "1", "max": 2, "baseFeeUpdateFraction": 3}},
            "whole numbers",
        ),
        ({**entry(LATER), "precompiles": {"X": "zz"}}, "unexpected form"),
        ({**entry(LATER), "precompiles": None}, "unexpected form"),
        ({**entry(LATER), "systemContracts": 5}, "unexpected form"),
        ({**entry(LATER), "blobSchedule": None}, "unexpected form"),
        ({k: v for k, v in entry(LATER).items() if k != "activationTime"}, "next: activationTime"),
        (entry("soon"), "activationTime"),
        (entry(-5), "activationTime"),
        (entry(True), "activationTime"),
        (entry(1 << 64), "activationTime"),
        (entry(LATER, True, 2, 3), "whole numbers"),
        (entry(LATER, 3, 6, 0), "fraction 0"),
        (entry(LATER, -1, 6, 5), "target -1"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(following, reason):
    with pytest.raises(InputError, match=reason):
        told(following)


@pytest.mark.parametrize(
    "config", [{}, {"next": None}, {"current": {}, "next": []}, {"current": 5, "last": "x"}]
)
def test_an_answer_that_tells_of_no_fork_changes_nothing(config):
    assert extended_by_config(MAINNET, config) == MAINNET


class Node:
    """A node that answers what it is asked from a table."""

    shown_url = "http://made"

    def __init__(self, chain_id, config):
        self.answers = {"eth_chainId": hex(chain_id), "web3_clientVersion": "Made/v1", "eth_config": config}

    def call(self, method, params=()):
        return self.answers[method]

    def batch_settled(self, requests):
        return [self.answers[method] for method, _ in requests]


def test_a_nodes_senseless_answer_is_told_with_the_node_whatever_its_chain():
    for chain_id in (1, 777):
        with pytest.raises(NodeAnswerError, match="http://made: eth_config"):
            schedule_of(Node(chain_id, {"current": NOW, "next": {"activationTime": LATER}}))
    assert schedule_of(Node(1, {"current": NOW, "next": None})) == MAINNET
    assert schedule_of(Node(1, NodeAnswerError("no such method"))) == MAINNET
    with pytest.raises(UnsupportedFork, match="no eth_config to ask"):
        schedule_of(Node(777, None))


def test_hoodi_follows_a_node_that_schedules_amsterdam():
    now = entry(1_762_955_544)
    found = extended_by_config(HOODI, {"current": now, "next": entry(LATER, contracts=AMSTERDAM)})
    assert at(found)[0] is Fork.AMSTERDAM
    assert replace(found, by_timestamp=found.by_timestamp[:-1]) == HOODI
