"""Made-up blocks as the state and block tests that geth's own `evm statetest` and `evm blocktest` judge.

What is said to come out is what an engine of ours gave: geth executes the same and says whether it agrees.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance_geth import built
from conformance_t8n import alloc_of, env_of, name_of
from t8n_blocks import MadeBlock

from mev_dagster.chain.access_lists import access_list_hash
from mev_dagster.chain.blocks import (
    Block,
    Header,
    encode_block,
    header_hash,
    transactions_root,
    withdrawals_root,
)
from mev_dagster.chain.fees import GAS_PER_BLOB, calc_excess_blob_gas
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.receipts import logs_bloom, logs_hash, receipts_root
from mev_dagster.chain.requests import requests_hash
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.blocks import receipts_of
from mev_dagster.evm.types import SimResult, SimulationEngine, TxStatus
from mev_dagster.hexadecimal import to_hex

JUDGE_SECONDS = 600.0
NO_UNCLES = bytes.fromhex("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347")


def judged(command: str, folder: Path, tests: Mapping[str, Any]) -> dict[str, str]:
    """Let geth run tests by name; return what it has against those that fail."""
    (folder / "tests.json").write_text(json.dumps(tests))
    ended = subprocess.run(
        [str(built("evm")), command, "tests.json"],
        cwd=folder, capture_output=True, text=True, timeout=JUDGE_SECONDS, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2_000:]
    results = json.loads(ended.stdout[ended.stdout.index("[") :])
    assert sorted(result["name"] for result in results) == sorted(tests), "geth left tests out"
    return {result["name"]: result.get("error", "") for result in results if not result["pass"]}


def with_test_hashes(made: MadeBlock) -> MadeBlock:
    """Return the block with the ancestors that geth's state tests have: each number's digits hashed."""
    number = made.env.number
    hashes = {n: keccak(str(n).encode()) for n in range(max(0, number - 256), number)}
    return replace(
        made,
        state=replace(made.state, block_hashes=hashes),
        env=replace(made.env, parent_hash=hashes[number - 1]),
    )


def state_test(made: MadeBlock, tx: Transaction, engine: SimulationEngine) -> dict[str, Any]:
    """Return one transaction on the block's state, and what an engine made of it."""
    env, name = made.env, name_of(made.env.fork)
    sim = engine.simulate(made.state, env, [tx], begin_block=False)
    (result,) = sim.txs
    post = {
        "hash": to_hex(made.state.apply(sim.state_diff).state_root()),
        "logs": to_hex(logs_hash(result.logs)),
        "indexes": {"data": 0, "gas": 0, "value": 0},
        "txbytes": to_hex(tx.raw),
    }
    if result.status is TxStatus.INVALID:
        post["expectException"] = result.error
    return {
        "env": env_of(env),
        "pre": alloc_of(made.state),
        "transaction": _transaction(tx),
        "post": {name: [post]},
    }


def _transaction(tx: Transaction) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "nonce": hex(tx.nonce),
        "to": "" if tx.to is None else to_hex(tx.to),
        "data": [to_hex(tx.data)],
        "gasLimit": [hex(tx.gas_limit)],
        "value": [hex(tx.value_wei)],
        "sender": to_hex(tx.sender),
    }
    if tx.type < 2:
        fields["gasPrice"] = hex(tx.gas_price_wei or 0)
    else:
        fields["maxFeePerGas"] = hex(tx.max_fee_per_gas_wei or 0)
        fields["maxPriorityFeePerGas"] = hex(tx.max_priority_fee_per_gas_wei or 0)
    if tx.type > 0:
        fields["accessLists"] = [
            [
                {"address": to_hex(entry.address), "storageKeys": [to_hex(key) for key in entry.storage_keys]}
                for entry in tx.access_list
            ]
        ]
    if tx.blob_versioned_hashes:
        fields["blobVersionedHashes"] = [to_hex(found) for found in tx.blob_versioned_hashes]
        fields["maxFeePerBlobGas"] = hex(tx.max_fee_per_blob_gas_wei or 0)
    if tx.type == 4:
        fields["authorizationList"] = [
            {
                "chainId": hex(signed.chain_id),
                "address": to_hex(signed.address),
                "nonce": hex(signed.nonce),
                "v": signed.y_parity,
                "r": hex(signed.r),
                "s": hex(signed.s),
            }
            for signed in tx.authorization_list
        ]
    return fields


def genesis_of(made: MadeBlock) -> Header:
    """Return the block before: it has used half its gas, so that the base fee stays."""
    env, fork = made.env, made.env.fork
    return Header(
        parent_hash=bytes(32), uncles_hash=NO_UNCLES, coinbase=bytes(20),
        state_root=made.state.state_root(), transactions_root=transactions_root(()),
        receipts_root=receipts_root(()), logs_bloom=bytes(256), difficulty=0, number=0,
        gas_limit=env.gas_limit, gas_used=env.gas_limit // 2, timestamp=env.timestamp - 12, extra_data=b"",
        mix_hash=bytes(32), nonce=bytes(8), base_fee_per_gas_wei=env.base_fee_per_gas_wei,
        withdrawals_root=withdrawals_root(()), blob_gas_used=0, excess_blob_gas=env.excess_blob_gas,
        parent_beacon_block_root=bytes(32),
        requests_hash=requests_hash(()) if fork >= Fork.PRAGUE else None,
        block_access_list_hash=keccak(b"\xc0") if fork >= Fork.AMSTERDAM else None,
        slot_number=0 if fork >= Fork.AMSTERDAM else None,
    )  # fmt: skip


def sealed(made: MadeBlock, engine: SimulationEngine) -> tuple[Header, Block, SimResult]:
    """Return a genesis, and the block on it of all transactions that an engine finds valid there."""
    parent, fork = genesis_of(made), made.env.fork
    env = replace(
        made.env,
        number=1,
        parent_hash=header_hash(parent),
        excess_blob_gas=calc_excess_blob_gas(parent, fork, made.env.blob_parameters),
    )
    state = replace(made.state, block_hashes={0: header_hash(parent)})

    def execute(txs: Sequence[Transaction]) -> SimResult:
        return engine.simulate(state, env, txs, withdrawals=made.withdrawals, end_block=True)

    left_out = {found.index for found in execute(made.txs).rejected}
    txs = tuple(tx for index, tx in enumerate(made.txs) if index not in left_out)
    sim = execute(txs)
    receipts = receipts_of(txs, sim.txs, fork)
    header = Header(
        parent_hash=env.parent_hash, uncles_hash=NO_UNCLES, coinbase=env.coinbase,
        state_root=state.apply(sim.state_diff).state_root(), transactions_root=transactions_root(txs),
        receipts_root=receipts_root(receipts),
        logs_bloom=logs_bloom([log for receipt in receipts for log in receipt.logs]),
        difficulty=0, number=1, gas_limit=env.gas_limit, gas_used=sim.gas_used, timestamp=env.timestamp,
        extra_data=b"made up", mix_hash=env.prev_randao, nonce=bytes(8),
        base_fee_per_gas_wei=env.base_fee_per_gas_wei, withdrawals_root=withdrawals_root(made.withdrawals),
        blob_gas_used=GAS_PER_BLOB * sum(len(tx.blob_versioned_hashes) for tx in txs),
        excess_blob_gas=env.excess_blob_gas, parent_beacon_block_root=env.parent_beacon_block_root,
        requests_hash=requests_hash(sim.requests) if fork >= Fork.PRAGUE else None,
        block_access_list_hash=None if sim.access_list is None else access_list_hash(sim.access_list),
        slot_number=env.slot_number if fork >= Fork.AMSTERDAM else None,
    )  # fmt: skip
    return parent, Block(header_hash(header), header, txs, (), made.withdrawals), sim


def block_test(
    made: MadeBlock, parent: Header, block: Block, *, valid: bool = True, network: str | None = None
) -> dict[str, Any]:
    """Return a chain of one block on its genesis; one that is not `valid` is to be refused."""
    entry: dict[str, Any] = {"rlp": to_hex(encode_block(block))}
    if valid:
        entry["blockHeader"] = _header(block.header)
    return {
        "network": network or name_of(made.env.fork),
        "sealEngine": "NoProof",
        "genesisBlockHeader": _header(parent),
        "pre": alloc_of(made.state),
        "blocks": [entry],
        "postState": {},
        "lastblockhash": to_hex(header_hash(block.header if valid else parent)),
    }


def _header(header: Header) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hash": to_hex(header_hash(header)),
        "parentHash": to_hex(header.parent_hash),
        "uncleHash": to_hex(header.uncles_hash),
        "coinbase": to_hex(header.coinbase),
        "stateRoot": to_hex(header.state_root),
        "transactionsTrie": to_hex(header.transactions_root),
        "receiptTrie": to_hex(header.receipts_root),
        "bloom": to_hex(header.logs_bloom),
        "difficulty": hex(header.difficulty),
        "number": hex(header.number),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "extraData": to_hex(header.extra_data),
        "mixHash": to_hex(header.mix_hash),
        "nonce": to_hex(header.nonce),
        "baseFeePerGas": hex(header.base_fee_per_gas_wei or 0),
        "withdrawalsRoot": to_hex(header.withdrawals_root or b""),
        "blobGasUsed": hex(header.blob_gas_used or 0),
        "excessBlobGas": hex(header.excess_blob_gas or 0),
        "parentBeaconBlockRoot": to_hex(header.parent_beacon_block_root or b""),
    }
    return found | ({} if header.slot_number is None else {"slotNumber": hex(header.slot_number)})


def spoilt(block: Block) -> Iterator[tuple[str, Block]]:
    """Yield the block with one field of its header wrong, by that field's name."""
    header = block.header
    changes: dict[str, Any] = {
        "state_root": b"\x01" * 32,
        "receipts_root": b"\x01" * 32,
        "transactions_root": b"\x01" * 32,
        "withdrawals_root": b"\x01" * 32,
        "logs_bloom": b"\x01" * 256,
        "gas_used": header.gas_used + 1,
        "gas_limit": header.gas_limit * 2,
        "timestamp": header.timestamp - 12,
        "number": 2,
        "base_fee_per_gas_wei": (header.base_fee_per_gas_wei or 0) + 1,
        "blob_gas_used": (header.blob_gas_used or 0) + GAS_PER_BLOB,
        "excess_blob_gas": (header.excess_blob_gas or 0) + GAS_PER_BLOB,
        "extra_data": bytes(33),
    }
    if header.requests_hash is not None:
        changes["requests_hash"] = b"\x01" * 32
    if header.block_access_list_hash is not None:
        changes["block_access_list_hash"] = b"\x01" * 32
    for name, value in changes.items():
        wrong = replace(header, **{name: value})
        yield name, replace(block, header=wrong, hash=header_hash(wrong))
