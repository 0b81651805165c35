"""geth's `evm t8n` as the judge of whole blocks: what it is given, and what it must agree with us about."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance_geth import built

from mev_dagster.chain import rlp
from mev_dagster.chain.access_lists import first_difference
from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import receipts_root
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.blocks import receipts_of
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv, SimResult, TxStatus
from mev_dagster.hexadecimal import to_hex

T8N_SECONDS = 120.0


@dataclass(frozen=True)
class Verdict:
    """What geth made of a block."""

    result: dict[str, Any]
    alloc: dict[str, Any]


def t8n(
    folder: Path,
    state: Prestate,
    env: BlockEnv,
    txs: Sequence[Transaction],
    withdrawals: Sequence[Withdrawal],
    *,
    fork: str | None = None,
) -> Verdict:
    """Let geth execute a block; `fork` is its own name for the rules where it is not ours."""
    (folder / "alloc.json").write_text(json.dumps(alloc_of(state)))
    (folder / "env.json").write_text(json.dumps(_env(env, state, withdrawals)))
    raw = rlp.encode_list([tx.raw if tx.type == 0 else rlp.encode_bytes(tx.raw) for tx in txs])
    (folder / "txs.rlp").write_text(json.dumps(to_hex(raw)))
    command = [
        *(str(built("evm")), "t8n", "--input.alloc", "alloc.json", "--input.env", "env.json"),
        *("--input.txs", "txs.rlp", "--output.basedir", ".", "--output.result", "result.json"),
        *("--output.alloc", "post.json", "--state.chainid", str(env.chain_id), "--state.reward", "-1"),
        *("--state.fork", fork or name_of(env.fork)),
    ]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=T8N_SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    return Verdict(*(json.loads((folder / name).read_text()) for name in ("result.json", "post.json")))


def name_of(fork: Fork) -> str:
    """Return geth's name of a fork."""
    return fork.name if fork.name.startswith("BPO") else fork.name.title()


def alloc_of(state: Prestate) -> dict[str, Any]:
    """Return a state as geth reads one."""
    return {
        to_hex(address): {
            "balance": hex(account.balance_wei),
            "nonce": hex(account.nonce),
            "code": to_hex(state.code(account.code_hash)),
            "storage": {
                f"{slot:#066x}": f"{value:#066x}" for slot, value in account.storage.items() if value
            },
        }
        for address, account in state.accounts.items()
        if account.exists
    }


def env_of(env: BlockEnv) -> dict[str, Any]:
    """Return what every one of geth's tools is told of a block."""
    document = {
        "currentCoinbase": to_hex(env.coinbase),
        "currentDifficulty": "0x0",
        "currentRandom": to_hex(env.prev_randao),
        "currentGasLimit": hex(env.gas_limit),
        "currentNumber": hex(env.number),
        "currentTimestamp": hex(env.timestamp),
        "currentBaseFee": hex(env.base_fee_per_gas_wei or 0),
        "currentExcessBlobGas": hex(env.excess_blob_gas or 0),
    }
    return document | ({} if env.slot_number is None else {"slotNumber": hex(env.slot_number)})


def _env(env: BlockEnv, state: Prestate, withdrawals: Sequence[Withdrawal]) -> dict[str, Any]:
    return env_of(env) | {
        "parentBeaconBlockRoot": to_hex(env.parent_beacon_block_root or bytes(32)),
        "blockHashes": {
            **{str(number): to_hex(found) for number, found in state.block_hashes.items()},
            str(env.number - 1): to_hex(env.parent_hash),
        },
        "withdrawals": [
            {
                "index": hex(w.index),
                "validatorIndex": hex(w.validator_index),
                "address": to_hex(w.address),
                "amount": hex(w.amount_gwei),
            }
            for w in withdrawals
        ],
        "ommers": [],
    }


def differences(
    verdict: Verdict, state: Prestate, env: BlockEnv, txs: Sequence[Transaction], sim: SimResult
) -> Iterator[str]:
    """Name everything in which geth and an engine do not agree, transactions by their index."""
    truth = verdict.result
    rejected = {found.index: found.result for found in sim.rejected}
    ours = list(rejected)
    theirs = [entry["index"] for entry in truth.get("rejected") or ()]
    if ours != theirs:
        for index in sorted(set(ours) ^ set(theirs)):
            said = next((e["error"] for e in truth.get("rejected") or () if e["index"] == index), "included")
            mine = f"{rejected[index].error} {rejected[index].detail}" if index in rejected else "included"
            yield f"tx {index}: ours {mine}, geth {said}"
        return
    kept = [index for index in range(len(txs)) if index not in ours]
    for index, mine, receipt in zip(kept, sim.txs, truth["receipts"] or (), strict=True):
        pairs = (
            ("gas", int(receipt["gasUsed"], 16), mine.gas_used),
            ("status", receipt["status"] == "0x1", mine.status is TxStatus.SUCCESS),
            ("logs", len(receipt["logs"] or ()), len(mine.logs)),
        )
        for what, wanted, found in pairs:
            if wanted != found:
                yield f"tx {index}: {what}: geth {wanted}, ours {found} ({mine.status} {mine.detail})"
    receipts = receipts_of(tuple(txs[index] for index in kept), sim.txs, env.fork)
    if to_hex(receipts_root(receipts)) != truth["receiptsRoot"]:
        yield "receipts root"
    if sim.gas_used != int(truth["gasUsed"], 16):
        yield f"block gas: geth {int(truth['gasUsed'], 16)}, ours {sim.gas_used}"
    if [to_hex(request) for request in sim.requests] != (truth.get("requests") or []):
        yield f"requests: geth {truth.get('requests')}, ours {sim.requests!r}"
    if truth.get("blockAccessList") is not None:
        told = first_difference(bytes.fromhex(truth["blockAccessList"][2:]), sim.access_list or b"\xc0")
        if told is not None:
            yield f"access list: {told}"
    after = state.apply(sim.state_diff)
    if to_hex(after.state_root()) != truth["stateRoot"]:
        yield from _state_differences(verdict, after)


def _state_differences(verdict: Verdict, after: Prestate) -> Iterator[str]:
    mine, theirs = alloc_of(after), {address.lower(): entry for address, entry in verdict.alloc.items()}
    yield "state root"
    for address in sorted(mine.keys() | theirs.keys()):
        one, other = _shown(theirs.get(address)), _shown(mine.get(address))
        if one != other:
            yield f"state of {address}: geth {one}, ours {other}"


def _shown(entry: dict[str, Any] | None) -> Any:
    if entry is None:
        return None
    slots = {int(slot, 16): int(value, 16) for slot, value in (entry.get("storage") or {}).items()}
    code = entry.get("code") or "0x"
    return int(entry.get("balance", "0x0"), 16), int(entry.get("nonce", "0x0"), 16), code, slots
