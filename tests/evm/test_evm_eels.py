"""The engine against the executable specification of Ethereum, on code that nobody would write.

Runs where MEV_EELS_PYTHON names a Python that has `ethereum-execution` (see eels_worker.py).
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from evm_worlds import ALICE, BOB, CONTRACT, KEYS, at, push, transaction, world
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_evm_interpreters import code as programs

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import sign_authorization
from mev_dagster.chain.transactions import AccessListEntry
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import TxStatus

pytestmark = pytest.mark.long

MODULES = {fork: fork.name.lower() for fork in Fork if fork < Fork.AMSTERDAM}
MODULES[Fork.DAO] = "dao_fork"
# The specification has no fork of its own for what never was one on mainnet.
FORKS = [fork for fork in MODULES if fork is not Fork.PETERSBURG and fork is not Fork.ARROW_GLACIER]


class Specification:
    """One worker process; a case in, what the specification makes of it out."""

    def __init__(self, python: str) -> None:
        worker = Path(__file__).with_name("eels_worker.py")
        self._process = subprocess.Popen(
            [python, str(worker)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, fork: Fork, state: Prestate, env, txs) -> dict:
        case = {
            "fork": MODULES[fork],
            "alloc": {
                address.hex(): (
                    account.nonce,
                    account.balance_wei,
                    state.code(account.code_hash).hex(),
                    {str(slot): value for slot, value in account.storage.items() if value},
                )
                for address, account in state.accounts.items()
            },
            "env": {
                "chain_id": env.chain_id,
                "gas_limit": env.gas_limit,
                "coinbase": env.coinbase.hex(),
                "number": env.number,
                "timestamp": env.timestamp,
                "base_fee": env.base_fee_per_gas_wei,
                "block_hashes": [state.block_hashes[number].hex() for number in range(env.number)],
            },
            "txs": [tx.raw.hex() for tx in txs],
        }
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


@pytest.fixture(scope="module")
def specification() -> Iterator[Specification]:
    python = os.environ.get("MEV_EELS_PYTHON")
    if not python:
        pytest.skip("MEV_EELS_PYTHON names no Python with ethereum-execution")
    found = Specification(python)
    yield found
    found.close()


def assert_as_specified(specification: Specification, fork: Fork, state: Prestate, txs) -> None:
    env = at(fork)
    ancestors = {number: keccak(number.to_bytes(8, "big")) for number in range(env.number)}
    state = replace(state, block_hashes=ancestors)
    ours = get_engine().simulate(state, env, txs, begin_block=False)
    theirs = specification.run(fork, state, env, txs)
    assume("no_answer" not in theirs)
    for mine, spec in zip(ours.txs, theirs["txs"], strict=True):
        assert (mine.status is TxStatus.INVALID) == ("invalid" in spec), (mine.error, spec)
        if "invalid" in spec:
            continue
        assert mine.gas_used == spec["gas"]
        assert spec["ok"] in {None, mine.status is TxStatus.SUCCESS}
        logs = [[log.address.hex(), [t.hex() for t in log.topics], log.data.hex()] for log in mine.logs]
        assert logs == spec["logs"]
    assert state.apply(ours.state_diff).state_root().hex() == theirs["state_root"]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    code=programs,
    data=st.binary(max_size=70),
    fork=st.sampled_from(FORKS),
    gas=st.sampled_from([60_000, 300_000]),
)
def test_random_code_ends_as_specified(specification, code, data, fork, gas):
    state = world(code, storage={0: 1, 255: 2**255}).with_overrides(
        {ALICE: AccountOverride(balance_wei=10**20)}
    )
    fees = {"type": 0} if fork < Fork.LONDON else {}
    protected = 31_337 if fork >= Fork.SPURIOUS_DRAGON else None
    txs = [
        transaction(0, data=data, gas_limit=gas, value_wei=7, chain_id=protected, **fees),
        transaction(0, nonce=1, to=None, data=code, gas_limit=gas, chain_id=protected, **fees),
        transaction(0, nonce=2, gas_limit=gas, chain_id=protected, **fees),
    ]
    assert_as_specified(specification, fork, state, txs)


PRECOMPILES = [*range(1, 0x12), 0x100]
COPY_INPUT = b"\x36" + push(0) * 2 + b"\x37"


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    address=st.sampled_from(PRECOMPILES),
    words=st.lists(
        st.sampled_from([b"\x00" * 32, (1).to_bytes(32, "big"), (2).to_bytes(32, "big"), b"\xff" * 32])
        | st.binary(min_size=32, max_size=32),
        max_size=8,
    ),
    cut=st.integers(0, 31),
    fork=st.sampled_from(
        [Fork.HOMESTEAD, Fork.BYZANTIUM, Fork.ISTANBUL, Fork.BERLIN, Fork.PRAGUE, Fork.BPO2]
    ),
)
def test_precompiles_answer_as_specified(specification, address, words, cut, fork):
    data = b"".join(words)
    data = data[: len(data) - cut] if cut < len(data) else data
    call = push(64) + push(0) + b"\x36" + push(0) + push(0) + push(address) + push(90_000) + b"\xf1"
    keep = push(0) + b"\x55" + push(0) + b"\x51" + push(1) + b"\x55"
    fees = {"type": 0} if fork < Fork.LONDON else {}
    protected = 31_337 if fork >= Fork.SPURIOUS_DRAGON else None
    tx = transaction(0, data=data, gas_limit=400_000, chain_id=protected, **fees)
    assert_as_specified(specification, fork, world(COPY_INPUT + call + keep), [tx])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    signed=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([0, 1, 31_337]),
            st.sampled_from([CONTRACT, BOB, ALICE, bytes(20), (4).to_bytes(20, "big"), b"\x99" * 20]),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=4,
    ),
    target=st.sampled_from([ALICE, BOB, CONTRACT, b"\x99" * 20]),
    code=programs,
    fork=st.sampled_from([Fork.PRAGUE, Fork.OSAKA]),
)
def test_delegations_are_applied_as_specified(specification, signed, target, code, fork):
    authorizations = [
        sign_authorization(KEYS[key], chain_id=chain, address=address, nonce=nonce)
        for key, chain, address, nonce in signed
    ]
    state = world(code, storage={0: 1})
    first = transaction(
        0, type=4, to=target, authorization_list=authorizations, gas_limit=400_000, value_wei=1
    )
    nonce = get_engine().simulate(state, at(fork), [first], begin_block=False).state_diff[ALICE].nonce
    again = transaction(
        0, nonce=nonce, to=BOB, gas_limit=200_000, access_list=[AccessListEntry(BOB, (bytes(32),))]
    )
    assert_as_specified(specification, fork, state, [first, again])
