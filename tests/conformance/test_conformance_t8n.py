"""geth's `evm t8n` judges both engines: gas, receipts, post-state, requests, access lists, by fork."""

from dataclasses import replace

import pytest
from conformance_t8n import differences, t8n
from evm_programs import programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from t8n_blocks import KEYS, contract, made_block

from mev_dagster.chain.forks import BlobParameters, Fork
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.evm.blocks import block_env
from mev_dagster.evm.engines import executes, get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import AccountOverride

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

FORKS = (Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA, Fork.BPO1, Fork.BPO2, Fork.AMSTERDAM)
ENGINES = ["py_evm", *(["revm"] if native_is_installed() else [])]
BLOCKS, SIZE = 36, 60
RECENT = (22_825_315, 24_171_384, 24_341_035, 24_628_607, 25_134_887)
BPO3 = BlobParameters(21, 32, 20_609_697)  # geth's own made-up one


def judged(verdict, state, env, txs, withdrawals, count, kind, *, name=None):
    """Execute on every engine that has the fork; return what differs, by engine."""
    wrong = []
    for engine in ENGINES:
        if not executes(engine, env.fork):
            continue
        sim = get_engine(engine).simulate(
            state, env, txs, begin_block=True, withdrawals=withdrawals, end_block=True
        )
        found = [f"{engine}: {told}" for told in differences(verdict, state, env, txs, sim)]
        wrong += found
        count(
            engine, name or env.fork.name, kind, len(txs), len({told.partition(":")[2][:7] for told in found})
        )
    return wrong


@pytest.mark.parametrize("fork", FORKS)
def test_made_up_blocks_come_out_as_in_geth(fork, tmp_path, count):
    wrong = []
    for seed in range(BLOCKS):
        made = made_block(seed, fork, SIZE)
        verdict = t8n(tmp_path, made.state, made.env, made.txs, made.withdrawals)
        found = judged(
            verdict, made.state, made.env, made.txs, made.withdrawals, count, "made-up transactions"
        )
        wrong += [f"block {seed}: {told}" for told in found]
    assert not wrong, "\n".join(wrong[:20])


def test_a_made_up_blob_fork_comes_out_as_in_geth(tmp_path, count):
    wrong = []
    for seed in range(6):
        made = made_block(1_000 + seed, Fork.BPO2, SIZE, blobs=BPO3)
        verdict = t8n(tmp_path, made.state, made.env, made.txs, made.withdrawals, fork="BPO3")
        wrong += judged(
            verdict,
            made.state,
            made.env,
            made.txs,
            made.withdrawals,
            count,
            "made-up transactions",
            name="BPO3",
        )
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.fixtures
@pytest.mark.parametrize("number", RECENT)
def test_real_transactions_under_each_later_fork_come_out_as_in_geth(number, fixtures, tmp_path, count):
    file = load_block_file(fixtures / "blocks_recent" / f"{number}.json.zst")
    own = block_env(file.block.header, 1)
    # What the file does not list is taken not to exist, by both.
    state = replace(file.prestate, complete=True)
    wrong = []
    for fork in (fork for fork in FORKS if fork >= own.fork):
        amsterdam = fork >= Fork.AMSTERDAM
        env = replace(
            own,
            fork=fork,
            blobs=None,
            slot_number=7 if amsterdam else None,
        )
        made = made_block(0, Fork.AMSTERDAM, 1).state if amsterdam else state
        contracts = {
            address: AccountOverride(code=made.code(account.code_hash), nonce=1)
            for address, account in made.accounts.items()
            if amsterdam and address.hex().endswith("8282")
        }
        given_state = state.with_overrides(contracts)
        txs, withdrawals = file.block.transactions, file.block.withdrawals or ()
        verdict = t8n(tmp_path, given_state, env, txs, withdrawals)
        found = judged(verdict, given_state, env, txs, withdrawals, count, "mainnet transactions")
        wrong += [f"{fork.name}: {told}" for told in found]
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("fork", [Fork.OSAKA, Fork.AMSTERDAM])
def test_any_program_comes_out_as_in_geth(fork, tmp_path, count):
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(programs, min_size=1, max_size=12), st.integers(0, 2**32))
    def judge(codes, seed):
        made = made_block(seed % 1_000, fork, len(codes))
        state = made.state.with_overrides(
            {contract(index): AccountOverride(code=code) for index, code in enumerate(codes)}
        )
        txs = [
            sign_transaction(
                KEYS[index], type=2, chain_id=1, nonce=0, to=contract(index), gas_limit=500_000,
                max_fee_per_gas_wei=20 * 10**9, max_priority_fee_per_gas_wei=10**9, value_wei=index % 2,
            )
            for index in range(len(codes))
        ]  # fmt: skip
        verdict = t8n(tmp_path, state, made.env, txs, made.withdrawals)
        wrong = judged(verdict, state, made.env, txs, made.withdrawals, count, "hypothesis' programs")
        assert not wrong, "\n".join(wrong[:20])

    judge()
