"""Deposits are read from events of the layout EIP-6110 demands; request contracts come with their forks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain.forks import DEPOSIT_CONTRACT, Fork
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.requests import contracts_asked, deposit_requests, requests_hash, typed_requests
from mev_dagster.errors import InvalidBlock

TOPIC = bytes.fromhex("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5")
PARTS = (48, 32, 8, 96, 8)


def event(*parts):
    """The ABI encoding of five byte strings."""
    heads, tails, place = b"", b"", 160
    for part in parts:
        padded = part + bytes(-len(part) % 32)
        heads += place.to_bytes(32, "big")
        tails += len(part).to_bytes(32, "big") + padded
        place += 32 + len(padded)
    return heads + tails


def log(data, *, address=DEPOSIT_CONTRACT, topics=(TOPIC,)):
    return Log(address, topics, data)


@given(st.tuples(*(st.binary(min_size=size, max_size=size) for size in PARTS)))
def test_a_deposit_is_its_parts_one_after_another(parts):
    assert deposit_requests([log(event(*parts))], DEPOSIT_CONTRACT) == b"".join(parts)


@given(st.integers(0, 575), st.integers(1, 255))
def test_a_byte_of_the_layout_that_is_another_makes_the_block_invalid(place, change):
    good = event(*(bytes([index]) * size for index, size in enumerate(PARTS, 1)))
    data = bytearray(good)
    data[place] ^= change
    words = {0, 32, 64, 96, 128, 160, 256, 320, 384, 512}
    if place // 32 * 32 in words:
        with pytest.raises(InvalidBlock, match="EIP-6110"):
            deposit_requests([log(bytes(data))], DEPOSIT_CONTRACT)
    else:
        assert len(deposit_requests([log(bytes(data))], DEPOSIT_CONTRACT)) == 192


@pytest.mark.parametrize("size", [0, 1, 575, 577, 1_000])
def test_an_event_of_another_size_makes_the_block_invalid(size):
    with pytest.raises(InvalidBlock, match=f"{size} bytes, expected 576"):
        deposit_requests([log(bytes(size))], DEPOSIT_CONTRACT)


def test_what_is_no_deposit_event_is_passed_over():
    assert deposit_requests([log(b"", address=b"\x01" * 20), log(b"", topics=())], DEPOSIT_CONTRACT) == b""
    elsewhere = b"\x7f" * 20
    assert deposit_requests([log(bytes(3))], elsewhere) == b""
    with pytest.raises(InvalidBlock):
        deposit_requests([log(bytes(3), address=elsewhere)], elsewhere)


def test_contracts_are_asked_from_their_fork_on():
    kinds = {fork: [kind for kind, _ in contracts_asked(fork)] for fork in Fork}
    assert kinds[Fork.CANCUN] == []
    assert kinds[Fork.PRAGUE] == kinds[Fork.BPO2] == [1, 2]
    assert kinds[Fork.AMSTERDAM] == [1, 2, 3, 4]


def test_requests_carry_their_type_and_empty_ones_are_left_out():
    assert typed_requests([(0, b""), (1, b"a"), (4, b"b")]) == (b"\x01a", b"\x04b")
    # EIP-7685: no requests at all
    assert requests_hash(()).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
