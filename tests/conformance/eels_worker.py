"""Runs under a Python that has `ethereum-execution`, the executable specification; one JSON case a line.

`conformance_eels.py` makes that Python and speaks with this process.
"""

import importlib
import json
import sys

from ethereum.exceptions import EthereumException
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes, Bytes20, Bytes32
from ethereum_types.numeric import U64, U256, Uint


def run(case: dict) -> dict:
    name = f"ethereum.forks.{case['fork']}"
    fork, states, types, vm, transactions, blocks, trie = (
        importlib.import_module(module)
        for module in (
            f"{name}.fork",
            f"{name}.state",
            f"{name}.fork_types",
            f"{name}.vm",
            f"{name}.transactions",
            f"{name}.blocks",
            f"{name}.trie",
        )
    )
    state = states.State()
    for address, (nonce, balance, code, storage) in case["alloc"].items():
        key = Bytes20(bytes.fromhex(address))
        account = types.Account(nonce=Uint(nonce), balance=U256(balance), code=Bytes(bytes.fromhex(code)))
        states.set_account(state, key, account)
        for slot, value in storage.items():
            states.set_storage(state, key, Bytes32(int(slot).to_bytes(32, "big")), U256(value))
    env = case["env"]
    every_field = {
        "chain_id": U64(env["chain_id"]),
        "state": state,
        "block_gas_limit": Uint(env["gas_limit"]),
        "block_hashes": [Bytes32(bytes.fromhex(ancestor)) for ancestor in env["block_hashes"]],
        "coinbase": Bytes20(bytes.fromhex(env["coinbase"])),
        "number": Uint(env["number"]),
        "base_fee_per_gas": Uint(env["base_fee"] or 0),
        "time": U256(env["timestamp"]),
        "difficulty": Uint(env["difficulty"]),
        "prev_randao": Bytes32(bytes.fromhex(env["prev_randao"])),
        "excess_blob_gas": U64(env["excess_blob_gas"]),
        "parent_beacon_block_root": Bytes32(bytes(32)),
    }
    wanted = vm.BlockEnvironment.__dataclass_fields__
    block_env = vm.BlockEnvironment(**{field: every_field[field] for field in wanted})
    output = vm.BlockOutput()
    results = []
    for index, raw in enumerate(case["txs"]):
        before, logs_before = output.block_gas_used, len(output.block_logs)
        try:
            tx = decode(transactions, bytes.fromhex(raw))
            fork.process_transaction(block_env, output, tx, Uint(index))
        except EthereumException as error:
            results.append({"invalid": type(error).__name__})
            continue
        except OverflowError:  # its MODEXP adds lengths near 2**256 as if they could not overflow
            return {"no_answer": True}
        receipt = trie.trie_get(output.receipts_trie, rlp.encode(Uint(index)))
        if hasattr(blocks, "decode_receipt"):
            receipt = blocks.decode_receipt(receipt)
        results.append(
            {
                "gas": int(output.block_gas_used - before),
                "ok": bool(receipt.succeeded) if hasattr(receipt, "succeeded") else None,
                "logs": [
                    [log.address.hex(), [topic.hex() for topic in log.topics], log.data.hex()]
                    for log in output.block_logs[logs_before:]
                ],
            }
        )
    return {"txs": results, "state_root": states.state_root(state).hex()}


def decode(transactions, raw: bytes):
    if raw[0] >= 0xC0:
        legacy = getattr(transactions, "LegacyTransaction", None) or transactions.Transaction
        return rlp.decode_to(legacy, raw)
    return transactions.decode_transaction(Bytes(raw))


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
