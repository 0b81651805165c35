"""go-ethereum's tracer cases: one transaction, the state before it, the call tree or the changes it makes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from evm_worlds import LOCAL_ENGINES

from mev_dagster.chain.forks import Fork, ForkSchedule
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account, BlockEnv, CallFrame, SimResult, SimulationEngine, TxStatus, Want

pytestmark = pytest.mark.fixtures

BY_NUMBER = {
    "homesteadblock": Fork.HOMESTEAD,
    "eip150block": Fork.TANGERINE_WHISTLE,
    "eip158block": Fork.SPURIOUS_DRAGON,
    "byzantiumblock": Fork.BYZANTIUM,
    "constantinopleblock": Fork.CONSTANTINOPLE,
    "petersburgblock": Fork.PETERSBURG,
    "istanbulblock": Fork.ISTANBUL,
    "berlinblock": Fork.BERLIN,
    "londonblock": Fork.LONDON,
    "mergenetsplitblock": Fork.PARIS,
}
BY_TIME = {"shanghaitime": Fork.SHANGHAI, "cancuntime": Fork.CANCUN, "praguetime": Fork.PRAGUE}


def cases(fixtures: Path, folder: str) -> dict[str, Any]:
    return {
        path.name: json.loads(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
        for path in sorted((fixtures / "tracetest" / folder).iterdir())
    }


def number(value: Any) -> int:
    return value if isinstance(value, int) else int(value or "0", 0)


def data(text: str | None) -> bytes:
    return bytes.fromhex((text or "").removeprefix("0x"))


def schedule(config: dict[str, Any]) -> ForkSchedule:
    keys = {name.lower(): value for name, value in config.items()}
    by_number = [(0, Fork.FRONTIER)]
    by_number += [(keys[name], fork) for name, fork in BY_NUMBER.items() if keys.get(name) is not None]
    if keys.get("terminaltotaldifficulty") == 0 or "shanghaitime" in keys:
        by_number.append((0, Fork.PARIS))
    by_time = [(keys[name], fork) for name, fork in BY_TIME.items() if keys.get(name) is not None]
    # On a private chain several forks start at once, or an old one after a newer: the newest begun holds.
    return ForkSchedule(keys.get("chainid", 1), forwards(by_number), forwards(by_time))


def forwards(entries: list[tuple[int, Fork]]) -> tuple[tuple[int, Fork], ...]:
    kept: list[tuple[int, Fork]] = []
    for start, fork in sorted(entries):
        if not kept or fork > kept[-1][1]:
            kept.append((start, fork))
    return tuple(kept)


def simulate(case: dict[str, Any], engine: SimulationEngine | None = None) -> tuple[Prestate, SimResult]:
    genesis, context = case["genesis"], case["context"]
    forks = schedule(genesis["config"])
    block_number, timestamp = number(context["number"]), number(context["timestamp"])
    fork = forks.fork_at(block_number, timestamp)
    env = BlockEnv(
        chain_id=forks.chain_id,
        fork=fork,
        number=block_number,
        timestamp=timestamp,
        coinbase=data(context["miner"]),
        gas_limit=number(context["gasLimit"]),
        base_fee_per_gas_wei=number(context.get("baseFeePerGas")) if fork >= Fork.LONDON else None,
        difficulty=number(context["difficulty"]),
        prev_randao=data(genesis.get("mixHash")).rjust(32, b"\0"),
        excess_blob_gas=number(genesis.get("excessBlobGas")) if fork >= Fork.CANCUN else None,
    )
    accounts, codes = {}, {}
    for address, fields in genesis["alloc"].items():
        code = data(fields.get("code"))
        codes[keccak(code)] = code
        storage = {number(slot): number(value) for slot, value in fields.get("storage", {}).items()}
        accounts[data(address)] = Account(
            number(fields["balance"]), number(fields.get("nonce")), keccak(code), storage
        )
    state = Prestate(accounts, codes, complete=True)
    tx = decode_transaction(data(case["input"]), allow_high_s=True)
    return state, (engine or PyEvmEngine(want=Want(calls=True))).simulate(state, env, [tx], begin_block=False)


def flattened(call: dict[str, Any], depth: int = 0) -> list[tuple[int, dict[str, Any]]]:
    below = [entry for child in call.get("calls", ()) for entry in flattened(child, depth + 1)]
    return [(depth, call), *below]


def assert_same_call(frame: CallFrame, depth: int, expected: dict[str, Any], *, whole: bool) -> None:
    assert (frame.depth, frame.kind) == (depth, expected["type"])
    assert frame.sender == data(expected["from"])
    assert bool(frame.error) == ("error" in expected)
    if "to" in expected:
        assert frame.to == data(expected["to"])
    if expected["type"] != "DELEGATECALL":
        assert frame.value_wei == number(expected.get("value", "0x0"))
    if not whole:  # geth's figures of the outermost call are those of the transaction
        assert frame.gas_used == number(expected["gasUsed"])
    if "input" in expected:
        assert frame.input == data(expected["input"])


@pytest.mark.parametrize("engine", LOCAL_ENGINES)
def test_call_trees_are_those_of_geth(fixtures, engine):
    wrong = {}
    for name, case in cases(fixtures, "call_tracer").items():
        _, result = simulate(case, get_engine(engine, want=Want(calls=True)))
        tx, expected = result.txs[0], case["result"]
        try:
            assert tx.status is not TxStatus.INVALID, tx.detail
            assert tx.gas_used == number(expected["gasUsed"])
            assert (tx.status is TxStatus.SUCCESS) == ("error" not in expected)
            wanted = flattened(expected)
            frames = [
                f for f in tx.calls if not case.get("tracerConfig", {}).get("onlyTopCall") or f.depth == 0
            ]
            # geth also lists calls that were refused before they began, such as one without the balance.
            assert len(frames) == len(wanted)
            for index, (frame, (depth, call)) in enumerate(zip(frames, wanted, strict=True)):
                assert_same_call(frame, depth, call, whole=index == 0)
        except AssertionError as difference:
            wrong[name] = str(difference)
    assert not wrong


def test_logs_are_those_of_geth(fixtures):
    for name, case in cases(fixtures, "call_tracer_withLog").items():
        _, result = simulate(case)
        tx, expected = result.txs[0], case["result"]
        assert tx.gas_used == number(expected["gasUsed"]), name
        if case["tracerConfig"].get("onlyTopCall"):
            continue
        logs = [log for _, call in flattened(expected) if "error" not in call for log in call.get("logs", ())]
        wanted = {(data(log["address"]), *map(data, log["topics"]), data(log.get("data"))) for log in logs}
        assert {(log.address, *log.topics, log.data) for log in tx.logs} == wanted, name


def test_the_access_set_holds_what_geth_lists(fixtures):
    for name, case in cases(fixtures, "prestate_tracer").items():
        _, result = simulate(case)
        tx = result.txs[0]
        for address, fields in case["result"].items():
            assert data(address) in tx.accounts_read, name
            slots = {(data(address), number(slot)) for slot in fields.get("storage", {})}
            assert slots <= set(tx.slots_read), name


def test_the_state_diff_is_that_of_geth(fixtures):
    wrong = {}
    for name, case in cases(fixtures, "prestate_tracer_with_diff_mode").items():
        state, result = simulate(case)
        try:
            assert_same_diff(state, result, case)
        except AssertionError as difference:
            wrong[name] = str(difference)
    assert not wrong


def assert_same_diff(state: Prestate, result: SimResult, case: dict[str, Any]) -> None:
    before, after = case["result"]["pre"], case["result"]["post"]
    without = case.get("tracerConfig", {})
    assert {data(address) for address in (*before, *after)} == set(result.state_diff)
    for address in before.keys() - after.keys():
        diff = result.state_diff[data(address)]
        # geth drops an account from `post` when it is gone, or when all that changed became empty.
        assert diff.deleted or not any((diff.balance_wei, diff.nonce, diff.code, *diff.storage.values()))
    for address, fields in after.items():
        diff = result.state_diff[data(address)]
        if "balance" in fields:
            assert diff.balance_wei == number(fields["balance"])
        if "nonce" in fields:
            assert diff.nonce == fields["nonce"]
        if "code" in fields and not without.get("disableCode"):
            assert diff.code == data(fields["code"])
        if not without.get("disableStorage"):
            changed = {slot: value for slot, value in diff.storage.items() if value}
            assert changed == {number(s): number(v) for s, v in fields.get("storage", {}).items()}


FOLDERS = [
    "call_tracer",
    "call_tracer_withLog",
    "prestate_tracer",
    "prestate_tracer_with_diff_mode",
]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.skipif(not native_is_installed(), reason="mev_native is not installed: run `make native`")
def test_the_native_engine_gives_what_the_reference_gives(fixtures, folder, record_property):
    wrong = []
    record_property("cases of geth, both engines", len(cases(fixtures, folder)))
    for name, case in cases(fixtures, folder).items():
        _, expected = simulate(case, get_engine("py_evm"))
        _, found = simulate(case, get_engine("revm"))
        if found != replace(expected, engine="revm"):
            wrong.append(name)
    assert not wrong
