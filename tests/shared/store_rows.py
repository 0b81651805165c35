"""Rows for the tests of the store."""

from typing import Any

SLOT = 1_700_000_000_123_456_789
DAY = 86_400 * 1_000_000_000


def opportunities(count: int, *, profit: int = -5, at: int = SLOT) -> dict[str, list[Any]]:
    return {
        "block_time": [at] * count,
        "rank": list(range(count)),
        "opportunity_id": [index.to_bytes(32, "big") for index in range(count)],
        "parent_hash": [b"p" * 32] * count,
        "kind": ["arbitrage"] * count,
        "tx_hashes": [[b"a" * 32, b"b" * 32]] * count,
        "venues": [[]] * count,
        "size_wei": [2**255 + 7] * count,
        "expected_profit_wei": [profit] * count,
        "simulated_profit_wei": [None] * count,
        "gas_used": [21_000] * count,
        "verified": [True] * count,
    }


def sightings(count: int, *, window: int = 1, first_seq: int = 0, at: int = SLOT) -> dict[str, list[Any]]:
    seqs = range(first_seq, first_seq + count)
    return {
        "window_number": [window] * count,
        "seen_at": [at + seq for seq in seqs],
        "mono_ns": list(seqs),
        "tx_hash": [(seq + 1).to_bytes(32, "big") for seq in seqs],
        "lane": ["rpc"] * count,
        "source": ["node"] * count,
        "announced_type": [None] * count,
        "announced_size": [120] * count,
        "synthetic": [False] * count,
        "seq": list(seqs),
        "log_id": ["log"] * count,
    }


def transactions(count: int, *, first: int = 0, window: int = 1) -> dict[str, list[Any]]:
    return {
        "window_number": [window] * count,
        "tx_hash": [(index + 1).to_bytes(32, "big") for index in range(first, first + count)],
        "first_seen_at": [SLOT + index for index in range(count)],
        "tx_type": [4] * count,
        "chain_id": [1] * count,
        "nonce": [2**64 - 2] * count,
        "sender": [b"s" * 20] * count,
        "to": [None] * count,
        "value_wei": [2**256 - 1] * count,
        "gas_limit": [21_000] * count,
        "gas_price_wei": [None] * count,
        "max_fee_per_gas_wei": [2**64 + 1] * count,
        "max_priority_fee_per_gas_wei": [2**63] * count,
        "access_list_addresses": [[b"a" * 20, b"b" * 20]] * count,
        "access_list_storage_keys": [[[b"k" * 32, b"l" * 32], []]] * count,
        "authorization_chain_ids": [[0]] * count,
        "authorization_addresses": [[b"d" * 20]] * count,
        "authorization_nonces": [[7]] * count,
        "authorization_y_parities": [[1]] * count,
        "authorization_r": [[2**255]] * count,
        "authorization_s": [[3]] * count,
        "authorization_authorities": [[None]] * count,
        "input": [b"\xff\x00\xfe" * 5] * count,
        "input_len": [15] * count,
        "selector": [b"\xff\x00\xfe\xff"] * count,
        "v": [1] * count,
        "r": [2**255 + 1] * count,
        "s": [5] * count,
        "raw_len": [200] * count,
        "lane": ["rpc"] * count,
        "source": ["node"] * count,
        "synthetic": [False] * count,
    }
