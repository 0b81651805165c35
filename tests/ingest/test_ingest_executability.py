"""What cannot be executed stops the stages that would, by name and with its reason; nothing else stops."""

from dataclasses import replace

import pytest

from mev_dagster.chain.blocks import Block, ForeignTransaction, Header
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.networks import SEPOLIA
from mev_dagster.evm.engines import executes, get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.ingest.executability import STAGES, Executability

HASH, BLOOM = bytes(32), bytes(256)
HEADER = Header(
    HASH, HASH, bytes(20), HASH, HASH, HASH, BLOOM, 0, 9_000_000, 1, 0, 1_761_607_008, b"", HASH, bytes(8)
)


def block(**header):
    foreign = header.pop("foreign", ())
    return Block(HASH, replace(HEADER, **header), (), (), (), foreign)


@pytest.fixture
def told():
    return []


@pytest.fixture
def watch(told):
    return Executability("py_evm", SEPOLIA.chain_id, told.append)


def test_blocks_that_can_be_executed_stop_nothing(watch, told):
    watch.saw(block())
    assert (watch.stopped, told) == (None, [])


@pytest.mark.parametrize(
    ("header", "code", "why"),
    [
        ({"later_fields": (b"\x01", b"\x02")}, "unknown_fork", "2 fields of a fork not known here"),
        ({"timestamp": 1_791_294_816}, "engine_too_old", "py_evm does not execute AMSTERDAM"),
        ({"foreign": (ForeignTransaction(0, HASH, 0x7E),)}, "foreign_transactions", "0x7e"),
    ],
)
def test_what_stops_is_named_once_and_ends_with_the_first_block_that_can(watch, told, header, code, why):
    watch.saw(block(number=7, **header))
    watch.saw(block(number=8, **header))
    (stopped,) = told
    assert (stopped.stages, stopped.since_block, stopped.code) == (STAGES, 7, code)
    assert why in stopped.why
    watch.saw(block())
    assert (told[1:], watch.stopped) == ([None], None)


def test_a_fork_the_node_announces_and_nobody_knows_stops_at_its_time(watch, told):
    class Node:
        shown_url = "node"

        def __init__(self, _):
            self.closed = False

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.closed = True

        def call(self, method, params=()):
            return hex(SEPOLIA.chain_id)

        def batch_settled(self, requests):
            config = {
                "activationTime": 1_761_607_009,
                "blobSchedule": {"target": 14, "max": 21, "baseFeeUpdateFraction": 11_684_671},
                "systemContracts": {"BEACON_ROOTS_ADDRESS": "0x1", "NEW": "0x2"},
                "precompiles": {},
            }
            answers = {"web3_clientVersion": "Made/v1", "eth_config": {"current": config}}
            return [answers[method] for method, _ in requests]

    watch.learn("http://node", connect=Node)
    watch.saw(block())
    assert told == []
    watch.saw(block(timestamp=1_761_607_009))
    assert told[0].code == "unknown_fork"


def test_a_node_that_cannot_say_leaves_what_is_known(watch, told):
    watch.learn("http://127.0.0.1:1")
    watch.saw(block())
    assert told == []


def test_a_chain_nobody_knows_is_recorded_and_not_executed(told):
    watch = Executability("py_evm", 4_242, told.append)
    watch.saw(block())
    assert told[0].code == "unknown_chain"


@pytest.mark.parametrize("name", ["py_evm", *(["revm"] if native_is_installed() else [])])
def test_what_an_engine_is_said_to_execute_is_what_it_executes(name):
    engine = get_engine(name)
    assert [executes(name, fork) for fork in Fork] == [engine.supports(fork) for fork in Fork]
