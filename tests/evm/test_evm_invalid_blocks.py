"""What makes a block invalid is told by every engine alike, before anything of it is believed."""

from dataclasses import replace

import pytest
from evm_worlds import ALICE, LOCAL_ENGINES, PRAGUE, push, transaction, world

from mev_dagster.chain.forks import DEPOSIT_CONTRACT, Fork
from mev_dagster.chain.requests import BEACON_ROOTS, CONSOLIDATION_REQUESTS, HISTORY, WITHDRAWAL_REQUESTS
from mev_dagster.errors import InvalidBlock
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import AccountOverride

REVERTS, HALTS, NOTHING, STOP = b"\x5f\x5f\xfd", b"\xfe", b"\x5f\x5f\xf3", b"\x00"
ONE_BYTE = b"\x60\x01\x5f\xf3"
ENDLESS = b"\x5b\x5f\x56"
TOPIC = 0x649BBC62D0E31342AFEA4E5CD82D4049E7E1EE912FC0889AA790803BE39038C5
STRICT = replace(PRAGUE, may_lack_request_contracts=False, parent_beacon_block_root=b"\x33" * 32)
CODES = {
    BEACON_ROOTS: STOP,
    HISTORY: STOP,
    WITHDRAWAL_REQUESTS: NOTHING,
    CONSOLIDATION_REQUESTS: NOTHING,
    DEPOSIT_CONTRACT: STOP,
}


def state(**codes):
    given = CODES | {globals()[name]: code for name, code in codes.items()}
    return world().with_overrides(
        {address: AccountOverride(code=code, nonce=1) for address, code in given.items() if code is not None}
    )


@pytest.fixture(params=LOCAL_ENGINES)
def run(request):
    def execute(on, env=STRICT, to=ALICE, **fields):
        txs = [transaction(0, to=to, gas_limit=200_000, **fields)]
        return get_engine(request.param).simulate(on, env, txs, end_block=True)

    return execute


@pytest.mark.parametrize("name", ["WITHDRAWAL_REQUESTS", "CONSOLIDATION_REQUESTS"])
@pytest.mark.parametrize("code", [REVERTS, HALTS, ENDLESS])
def test_a_request_contract_that_fails_makes_the_block_invalid(run, name, code):
    with pytest.raises(InvalidBlock, match=f"0x{globals()[name].hex()} failed: (?!there is)"):
        run(state(**{name: code}))


@pytest.mark.parametrize("name", ["WITHDRAWAL_REQUESTS", "CONSOLIDATION_REQUESTS"])
def test_a_missing_request_contract_makes_the_block_invalid_unless_a_devnet_does_without(run, name):
    with pytest.raises(InvalidBlock, match="there is no contract"):
        run(state(**{name: None}))
    lenient = replace(STRICT, may_lack_request_contracts=True)
    assert run(state(**{name: None}), lenient).requests == ()
    with pytest.raises(InvalidBlock):
        run(state(**{name: REVERTS}), lenient)


@pytest.mark.parametrize("name", ["BEACON_ROOTS", "HISTORY"])
@pytest.mark.parametrize("code", [REVERTS, HALTS, None])
def test_the_calls_before_the_transactions_may_fail(run, name, code):
    assert run(state(**{name: code})).requests == ()


def test_what_the_contracts_answer_is_typed_and_before_prague_nobody_asks(run):
    answering = state(WITHDRAWAL_REQUESTS=ONE_BYTE, CONSOLIDATION_REQUESTS=ONE_BYTE)
    assert run(answering).requests == (b"\x01\x00", b"\x02\x00")
    cancun = replace(STRICT, fork=Fork.CANCUN)
    assert run(state(WITHDRAWAL_REQUESTS=REVERTS), cancun).requests == ()


def logging(data):
    """Code that logs these bytes under the deposit event's topic."""
    words = b"".join(
        push(int.from_bytes(data[at : at + 32].ljust(32, b"\0"), "big")) + push(at) + b"\x52"
        for at in range(0, len(data), 32)
    )
    return words + push(TOPIC) + push(len(data)) + push(0) + b"\xa1" + STOP


def test_a_malformed_deposit_makes_the_block_invalid(run):
    heads = b"".join(number.to_bytes(32, "big") for number in (160, 256, 320, 384, 512))
    sizes = {160: 48, 256: 32, 320: 8, 384: 96, 512: 8}
    good = bytearray(heads + bytes(416))
    for place, size in sizes.items():
        good[place : place + 32] = size.to_bytes(32, "big")
    assert run(state(DEPOSIT_CONTRACT=logging(bytes(good))), to=DEPOSIT_CONTRACT).requests == (
        b"\x00" + bytes(192),
    )
    for data in (
        bytes(576),
        bytes(good[:575]),
        bytes(good) + bytes(32),
        bytes(good).replace(b"\xa0", b"\xa1"),
    ):
        with pytest.raises(InvalidBlock, match="deposit event"):
            run(state(DEPOSIT_CONTRACT=logging(data)), to=DEPOSIT_CONTRACT)


LAYOUT = {0: 160, 32: 256, 64: 320, 96: 384, 128: 512, 160: 48, 256: 32, 320: 8, 384: 96, 512: 8}


def event(**words):
    """The data of a deposit event; `at_64=7` puts another number at byte 64."""
    data = bytearray(576)
    for place, number in LAYOUT.items():
        data[place : place + 32] = words.get(f"at_{place}", number).to_bytes(32, "big")
    return bytes(data)


@pytest.mark.parametrize("place", LAYOUT)
@pytest.mark.parametrize("change", [1, -1, 32, 2**255])
def test_each_offset_and_length_of_a_deposit_is_held_to_its_place(run, place, change):
    wrong = event(**{f"at_{place}": LAYOUT[place] + change if change < 2**255 else change})
    with pytest.raises(InvalidBlock, match=f"byte {place} holds"):
        run(state(DEPOSIT_CONTRACT=logging(wrong)), to=DEPOSIT_CONTRACT)


@pytest.mark.parametrize("size", [0, 1, 32, 544, 575, 577, 608, 1_152])
def test_a_deposit_of_another_size_makes_the_block_invalid(run, size):
    data = (event() + event())[:size]
    with pytest.raises(InvalidBlock, match=f"deposit event of {size} bytes"):
        run(state(DEPOSIT_CONTRACT=logging(data)), to=DEPOSIT_CONTRACT)


def test_what_is_no_deposit_event_may_have_any_form(run):
    other_topic = logging(bytes(5)).replace(TOPIC.to_bytes(32, "big"), (TOPIC - 1).to_bytes(32, "big"))
    assert run(state(DEPOSIT_CONTRACT=other_topic), to=DEPOSIT_CONTRACT).requests == ()
    assert run(state(HISTORY=logging(bytes(5))), to=HISTORY).requests == ()


def test_the_deposit_contract_is_the_networks_own(run):
    elsewhere = replace(STRICT, deposit_contract=b"\x7f" * 20)
    assert run(state(DEPOSIT_CONTRACT=logging(bytes(576))), elsewhere, to=DEPOSIT_CONTRACT).requests == ()
