"""Blocks as another client's `t8n` executed them: the environment, what it added to the state, what came out.

A file of `fixtures/amsterdam_t8n` names a block whose own file, with transactions and pre-state, lies beside
it or in the folder `blocks_recent` beside its own.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mev_dagster.chain.access_lists import first_difference
from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.jsonrpc import receipt_from_rpc
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import InputError, MevError
from mev_dagster.evm.block_files import BlockFile, load_block_file, read_document
from mev_dagster.evm.blocks import BlockResult
from mev_dagster.evm.parity import BlockParity, Difference, receipt_differences
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.types import BlockEnv, SimulationEngine
from mev_dagster.hexadecimal import from_hex, to_hex

_BLOCKS = "blocks_recent"


@dataclass(frozen=True, slots=True)
class T8nFile:
    """A block under an environment that is not its own, and what executing it there must give."""

    path: Path
    block: BlockFile
    env: BlockEnv
    withdrawals: tuple[Withdrawal, ...]
    expected: tuple[Receipt, ...]
    rejected: tuple[int, ...]
    receipts_root: bytes
    gas_used: int
    requests: tuple[bytes, ...]
    access_list: bytes | None


def is_t8n(document: Any) -> bool:
    """Tell this form from a block file."""
    return isinstance(document, Mapping) and {"number", "env", "result"} <= document.keys()


def load_t8n_file(path: Path, document: Mapping[str, Any] | None = None) -> T8nFile:
    """Read a file and the block it names; what is wrong is said with its name."""
    found = read_document(path) if document is None else document
    try:
        file = load_block_file(_block_path(path, int(found["number"])))
        extra = {
            _data(address): _override(entry) for address, entry in (found.get("alloc_extra") or {}).items()
        }
        result = found["result"]
        listed = result.get("blockAccessList")
        return T8nFile(
            path=path,
            block=replace(file, prestate=file.prestate.with_overrides(extra)),
            env=_env(found, file),
            withdrawals=tuple(_withdrawal(entry) for entry in found["env"].get("withdrawals") or ()),
            expected=tuple(_receipt(entry) for entry in result["receipts"]),
            rejected=tuple(entry["index"] for entry in result.get("rejected") or ()),
            receipts_root=_data(result["receiptsRoot"]),
            gas_used=int(result["gasUsed"], 16),
            requests=tuple(_data(entry) for entry in result.get("requests") or ()),
            access_list=None if listed is None else _data(listed),
        )
    except MevError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a t8n case: {type(error).__name__}: {error}") from error


def check_t8n(file: T8nFile, engine: SimulationEngine) -> BlockParity:
    """Execute the case and compare all that the other client told. It leaves out what cannot be included."""
    started = time.perf_counter()
    txs = file.block.block.transactions
    sim = engine.simulate(
        file.block.prestate, file.env, txs, begin_block=True, withdrawals=file.withdrawals, end_block=True
    )
    seconds = time.perf_counter() - started
    rejected = tuple(found.index for found in sim.rejected)
    kept = tuple(tx for index, tx in enumerate(txs) if index not in rejected)
    result = BlockResult(kept, sim)
    differences = tuple(_differences(file, result, rejected))
    failed = {difference.what for difference in differences}
    return BlockParity(
        number=file.env.number,
        fork=file.env.fork,
        txs=len(kept),
        gas_used=sim.gas_used,
        receipts_root_matches="receipts_root" not in failed,
        state_root_matches=None,
        access_list_matches=None if file.access_list is None else "access_list" not in failed,
        differences=differences,
        state_diff_hash=sim.state_diff_hash,
        seconds=seconds,
    )


def _differences(file: T8nFile, result: BlockResult, rejected: tuple[int, ...]) -> Iterator[Difference]:
    if rejected != file.rejected:
        yield Difference("rejected", None, str(file.rejected), str(rejected))
        return
    yield from receipt_differences(result, file.expected, file.block.prestate)
    if result.gas_used != file.gas_used:
        yield Difference("block_gas_used", None, str(file.gas_used), str(result.gas_used))
    root = result.receipts_root or b""
    if root != file.receipts_root:
        yield Difference("receipts_root", None, to_hex(file.receipts_root), to_hex(root))
    if result.sim.requests != file.requests:
        yield Difference("requests", None, str(file.requests), str(result.sim.requests))
    if file.access_list is not None:
        parts = first_difference(file.access_list, result.sim.access_list or b"\xc0")
        if parts is not None:
            yield Difference("access_list", None, "the other client's list", parts)


def _block_path(path: Path, number: int) -> Path:
    folders = (path.parent, path.parent.parent / _BLOCKS)
    candidates = [folder / f"{number}{suffix}" for folder in folders for suffix in (".json", ".json.zst")]
    found = next((one for one in candidates if one.is_file() and one.resolve() != path.resolve()), None)
    if found is None:
        raise InputError(f"block {number} is neither beside it nor in {path.parent.parent / _BLOCKS}")
    return found


def _env(document: Mapping[str, Any], file: BlockFile) -> BlockEnv:
    env, name = document["env"], document["fork"]
    if name not in Fork.__members__:
        raise InputError(f"no fork '{name}' is known here")
    number = int(env["currentNumber"], 16)
    return BlockEnv(
        chain_id=file.chain_id,
        fork=Fork[name],
        number=number,
        timestamp=int(env["currentTimestamp"], 16),
        coinbase=_data(env["currentCoinbase"]),
        gas_limit=int(env["currentGasLimit"], 16),
        base_fee_per_gas_wei=int(env["currentBaseFee"], 16),
        prev_randao=_data(env["currentRandom"]),
        parent_hash=_data(env["blockHashes"][str(number - 1)]),
        excess_blob_gas=int(env["currentExcessBlobGas"], 16),
        parent_beacon_block_root=_data(env["parentBeaconBlockRoot"]),
        slot_number=int(env["slotNumber"], 16) if "slotNumber" in env else None,
    )


def _override(entry: Mapping[str, Any]) -> AccountOverride:
    return AccountOverride(
        balance_wei=int(entry.get("balance", "0x0"), 16),
        nonce=int(entry.get("nonce", "0x0"), 16),
        code=_data(entry.get("code", "0x")),
        storage={int(slot, 16): int(value, 16) for slot, value in (entry.get("storage") or {}).items()},
    )


def _receipt(entry: Mapping[str, Any]) -> Receipt:
    return receipt_from_rpc({**entry, "root": None})


def _withdrawal(entry: Mapping[str, Any]) -> Withdrawal:
    return Withdrawal(
        int(entry["index"], 16),
        int(entry["validatorIndex"], 16),
        _data(entry["address"]),
        int(entry["amount"], 16),
    )


def _data(text: str) -> bytes:
    return from_hex(text)
