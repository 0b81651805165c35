from dataclasses import replace

import pytest
from evm_worlds import PRAGUE, push, store, transaction, world
from prometheus_client import CollectorRegistry

from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck, SimInput, kept_inputs, load_artifact
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account

CODE = store(0, push(1)) + push(0) + push(0) + b"\xa0"


def given(nonce: int = 0, data: bytes = b"") -> SimInput:
    return SimInput(world(CODE), PRAGUE, (transaction(0, nonce=nonce, data=data),))


def result_of(simulation: SimInput):
    return get_engine().simulate(simulation.prestate, simulation.env, simulation.txs)


def count(registry: CollectorRegistry, name: str) -> float:
    return registry.get_sample_value(name, {"engine": "py_evm"}) or 0.0


def test_an_honest_result_passes():
    registry = CollectorRegistry()
    assert Recheck(1.0, registry=registry).check(given(), result_of(given())) is None
    assert count(registry, "mev_sim_rechecks_total") == 1
    assert count(registry, "mev_sim_parity_mismatch_total") == 0


@pytest.mark.parametrize("field", ["gas_used", "coinbase_payment_wei"])
def test_a_wrong_figure_is_counted_and_its_input_kept(tmp_path, field):
    honest = result_of(given())
    wrong = replace(honest, txs=(replace(honest.txs[0], **{field: 1}),))
    registry = CollectorRegistry()
    mismatch = Recheck(0.0, folder=tmp_path, registry=registry).check(given(), wrong, always=True)
    assert mismatch is not None
    assert mismatch.differences[0].startswith(f"transaction 0: {field}: expected ")
    assert count(registry, "mev_sim_parity_mismatch_total") == 1
    assert mismatch.artifact is not None
    again = load_artifact(mismatch.artifact)
    assert again.identity == given().identity == mismatch.input_id
    assert result_of(again) == honest


def test_a_wrong_state_names_the_accounts():
    honest = result_of(given())
    wrong = replace(honest, state_diff={}, state_diff_hash=bytes(32))
    mismatch = Recheck(1.0).check(given(), wrong)
    assert mismatch is not None
    assert "0x" + "cc" * 20 in mismatch.differences[0]
    assert mismatch.artifact is None


def test_the_sample_is_a_function_of_the_input():
    recheck = Recheck(0.25)
    identities = [given(data=index.to_bytes(2, "big")).identity for index in range(200)]
    chosen = [identity for identity in identities if recheck.selects(identity)]
    assert chosen == [identity for identity in identities if Recheck(0.25).selects(identity)]
    assert 25 <= len(chosen) <= 75
    assert not any(Recheck(0.0).selects(identity) for identity in identities)
    assert all(Recheck(1.0).selects(identity) for identity in identities)


def test_what_is_not_selected_is_not_run():
    registry = CollectorRegistry()
    wrong = replace(result_of(given()), state_diff_hash=bytes(32))
    assert Recheck(0.0, registry=registry).check(given(), wrong) is None
    assert count(registry, "mev_sim_rechecks_total") == 0


def test_two_inputs_have_two_names():
    assert given(0).identity != given(1).identity
    later = replace(given(), env=replace(PRAGUE, timestamp=PRAGUE.timestamp + 1))
    assert later.identity != given().identity


class RememberingSource:
    """A state that is only known by asking, and remembers what was asked of its accounts."""

    def __init__(self, whole: Prestate) -> None:
        self._whole = whole
        self._asked: dict[bytes, Account] = {}
        self.storage, self.code, self.block_hash = whole.storage, whole.code, whole.block_hash

    def account(self, address: bytes) -> Account:
        self._asked[address] = self._whole.account(address)
        return self._asked[address]

    def recorded(self) -> Prestate:
        return replace(self._whole, accounts=self._asked, complete=False)


def test_the_input_of_a_lazily_read_state_is_kept_whole(tmp_path):
    lazy = Prestate({}, {}, lists_every_slot=True, fallback=RememberingSource(world(CODE)))
    asked = SimInput(lazy, PRAGUE, (transaction(0),))
    honest = result_of(asked)
    wrong = replace(honest, state_diff={}, state_diff_hash=bytes(32))
    mismatch = Recheck(1.0, folder=tmp_path).check(asked, wrong)
    assert mismatch is not None
    assert mismatch.artifact is not None
    assert kept_inputs(tmp_path) == 1
    again = load_artifact(mismatch.artifact)
    assert again.prestate.fallback is None
    assert again.identity == mismatch.input_id
    assert result_of(again) == honest


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_of_one_is_refused(share):
    with pytest.raises(InputError):
        Recheck(share)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"codes":{"x":"y"}}'])
def test_something_else_is_no_artifact(tmp_path, content):
    path = tmp_path / "artifact.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"artifact\.json"):
        load_artifact(path)
