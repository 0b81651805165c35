"""ethereum/tests in the form the engine takes: states, environments, schedules."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from mev_dagster.chain.blocks import Header
from mev_dagster.chain.forks import Fork, ForkSchedule
from mev_dagster.chain.keccak import keccak
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account, BlockEnv

FORKS = {
    "Frontier": Fork.FRONTIER,
    "Homestead": Fork.HOMESTEAD,
    "Dao": Fork.DAO,
    "EIP150": Fork.TANGERINE_WHISTLE,
    "EIP158": Fork.SPURIOUS_DRAGON,
    "Byzantium": Fork.BYZANTIUM,
    "Constantinople": Fork.CONSTANTINOPLE,
    "ConstantinopleFix": Fork.PETERSBURG,
    "Istanbul": Fork.ISTANBUL,
    "Berlin": Fork.BERLIN,
    "London": Fork.LONDON,
    "ArrowGlacier": Fork.ARROW_GLACIER,
    "Paris": Fork.PARIS,
    "Merge": Fork.PARIS,
    "Shanghai": Fork.SHANGHAI,
    "Cancun": Fork.CANCUN,
    "Prague": Fork.PRAGUE,
}


@dataclass(frozen=True)
class StateCase:
    name: str
    prestate: Prestate
    env: BlockEnv
    raw_transaction: bytes
    state_root: bytes
    logs_hash: bytes
    expected_error: str


def load(path: Path) -> Any:
    with path.open("rb") as stream:
        return json.loads(zstandard.ZstdDecompressor().stream_reader(stream).read())


def number(text: str) -> int:
    return int(text, 16) if text else 0


def data(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def state_of(alloc: dict[str, Any]) -> Prestate:
    accounts, codes = {}, {}
    for address, fields in alloc.items():
        code = data(fields["code"])
        codes[keccak(code)] = code
        storage = {number(slot): number(value) for slot, value in fields["storage"].items()}
        accounts[data(address)] = Account(
            number(fields["balance"]), number(fields["nonce"]), keccak(code), storage
        )
    return Prestate(accounts, codes, complete=True)


def state_cases(fixtures: Path, *, part: str = "") -> Iterator[StateCase]:
    for file, tests in load(fixtures / "ethereum_tests" / "state_tests.json.zst").items():
        if part not in file:
            continue
        for test in tests.values():
            for fork, posts in test["post"].items():
                for index, post in enumerate(posts):
                    yield _state_case(f"{file}:{fork}:{index}", test, FORKS[fork], post)


def _state_case(name: str, test: dict[str, Any], fork: Fork, post: dict[str, Any]) -> StateCase:
    env = test["env"]
    return StateCase(
        name=name,
        prestate=state_of(test["pre"]),
        env=BlockEnv(
            chain_id=1,
            fork=fork,
            number=number(env["currentNumber"]),
            timestamp=number(env["currentTimestamp"]),
            coinbase=data(env["currentCoinbase"]),
            gas_limit=number(env["currentGasLimit"]),
            base_fee_per_gas_wei=number(env["currentBaseFee"]) if fork >= Fork.LONDON else None,
            difficulty=number(env["currentDifficulty"]),
            prev_randao=data(env["currentRandom"]).rjust(32, b"\0") if fork >= Fork.PARIS else bytes(32),
            excess_blob_gas=number(env.get("currentExcessBlobGas", "")) if fork >= Fork.CANCUN else None,
        ),
        raw_transaction=data(post["txbytes"]),
        state_root=data(post["hash"]),
        logs_hash=data(post["logs"]),
        expected_error=post.get("expectException", ""),
    )


def schedule_of(network: str, header: Header) -> ForkSchedule:
    """Read a network's name: one fork, `<one>To<other>At<number>`, `AtTime<seconds>k` or `AtDiff<total>`.

    Where the change is the merge's, at a total difficulty, a block's own difficulty says on which side it is.
    """
    if network in FORKS:
        return _schedule((0, FORKS[network]), None)
    change, _, at = network.partition("At")
    before, _, after = change.partition("To")
    if at.startswith("Time"):
        return _schedule((0, FORKS[before]), (int(at.removeprefix("Time").rstrip("k")) * 1000, FORKS[after]))
    if at.startswith("Diff"):
        return _schedule((0, FORKS[before if header.difficulty else after]), None)
    return ForkSchedule(1, ((0, FORKS[before]), (int(at), FORKS[after])), ())


def _schedule(first: tuple[int, Fork], second: tuple[int, Fork] | None) -> ForkSchedule:
    by_number = (first,) if first[1] < Fork.SHANGHAI else ()
    by_time = () if by_number else (first,)
    return ForkSchedule(1, by_number, (*by_time, second) if second else by_time)
