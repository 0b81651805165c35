"""Both local engines against the executable specification of Ethereum (`make conformance`).

First the rule that each fork has brought, then code that nobody would write.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from conformance_eels import MODULES, Specification, specification_python
from evm_probes import PROBES, Probe, kind_of
from evm_programs import programs
from evm_worlds import ALICE, BOB, CONTRACT, KEYS, at, push, transaction, world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import sign_authorization
from mev_dagster.chain.transactions import AccessListEntry
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv, TxStatus

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

FORKS = sorted(MODULES)
ENGINES = [get_engine(name) for name in ("py_evm", *(["revm"] if native_is_installed() else []))]


@pytest.fixture(scope="module")
def specification() -> Iterator[Specification]:
    found = Specification(specification_python())
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _counted(specification, record_property) -> Iterator[None]:
    answered, unanswered = specification.answered, specification.unanswered
    yield
    record_property("engines", ", ".join(engine.name for engine in ENGINES))
    record_property("cases", specification.answered - answered)
    record_property("without an answer", specification.unanswered - unanswered)


def assert_as_specified(specification: Specification, env: BlockEnv, state: Prestate, txs) -> None:
    ancestors = {number: keccak(number.to_bytes(8, "big")) for number in range(env.number)}
    state = replace(state, block_hashes=ancestors)
    env = replace(env, parent_hash=ancestors[env.number - 1])
    theirs = specification.run(state, env, txs)
    if "no_answer" in theirs:
        return  # counted, and told at the end
    for engine in ENGINES:
        ours = engine.simulate(state, env, txs, begin_block=False)
        for mine, spec in zip(ours.txs, theirs["txs"], strict=True):
            said = f"{engine.name}, {env.fork.name}: {mine.error or mine.detail}, specification: {spec}"
            assert (mine.status is TxStatus.INVALID) == ("invalid" in spec), said
            if "invalid" in spec:
                continue
            assert mine.gas_used == spec["gas"], said
            assert spec["ok"] in {None, mine.status is TxStatus.SUCCESS}, said
            logs = [[log.address.hex(), [t.hex() for t in log.topics], log.data.hex()] for log in mine.logs]
            assert logs == spec["logs"], said
        root = state.apply(ours.state_diff).state_root().hex()
        assert root == theirs["state_root"], f"{engine.name}, {env.fork.name}"


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_rule_holds_from_its_fork_on_and_not_before(specification, probe: Probe):
    for fork in FORKS:
        txs = probe.transactions(fork)
        if txs:
            assert_as_specified(specification, probe.environment(fork), probe.state(), txs)


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
    kind = kind_of(fork) | {"gas_limit": gas}
    txs = [
        transaction(0, data=data, value_wei=7, **kind),
        transaction(0, nonce=1, to=None, data=code, **kind),
        transaction(0, nonce=2, **kind),
    ]
    assert_as_specified(specification, at(fork), state, txs)


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
    tx = transaction(0, data=data, gas_limit=400_000, **kind_of(fork))
    assert_as_specified(specification, at(fork), world(COPY_INPUT + call + keep), [tx])


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
    assert_as_specified(specification, at(fork), state, [first, again])
