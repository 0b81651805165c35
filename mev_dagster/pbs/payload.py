"""Execution blocks as headers and as payloads, and the hash that ties the two.

A payload carries everything its block hash covers except two values the consensus layer knows: the parent
beacon block root (EIP-4788) and, through the execution requests, the requests hash (EIP-7685).
"""

from functools import lru_cache
from hashlib import sha256

from mev_dagster.chain.blocks import Block, Header, header_hash, withdrawals_root
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.requests import requests_hash as requests_hash_of
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.chain.trie import ordered_trie_root
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.pbs.schema import EXECUTION_REQUESTS
from mev_dagster.pbs.types import ConsensusFork, ExecutionPayload, ExecutionRequests

EMPTY_UNCLES_HASH = keccak(b"\xc0")
KZG_VERSION = b"\x01"
MOST_DECODED = 8_192
MOST_KEPT_BYTES = 4_096
"""So no more than 32 MiB of transactions are kept decoded."""


def request_list(requests: ExecutionRequests) -> tuple[bytes, ...]:
    """Return a block's requests as EIP-7685 encodes them: type and data of each list that is not empty."""
    encoded = (item.type.encode(getattr(requests, item.name)) for item in EXECUTION_REQUESTS.fields)
    return tuple(bytes((number,)) + data for number, data in enumerate(encoded) if data)


def requests_hash(requests: ExecutionRequests) -> bytes:
    """Return the hash of a block's requests (EIP-7685)."""
    return requests_hash_of(request_list(requests))


def versioned_hash(commitment: bytes) -> bytes:
    """Return how a blob transaction names a KZG commitment (EIP-4844)."""
    return KZG_VERSION + sha256(commitment).digest()[1:]


def header_of(
    fork: ConsensusFork,
    payload: ExecutionPayload,
    *,
    parent_beacon_block_root: bytes | None = None,
    requests: ExecutionRequests | None = None,
) -> Header:
    """Return the block header that a payload stands for."""
    if fork >= ConsensusFork.DENEB and parent_beacon_block_root is None:
        raise InputError(f"the block hash of a {fork.version} payload covers the parent beacon block root")
    if fork >= ConsensusFork.ELECTRA and requests is None:
        raise InputError(f"the block hash of a {fork.version} payload covers the execution requests")
    return Header(
        parent_hash=payload.parent_hash,
        uncles_hash=EMPTY_UNCLES_HASH,
        coinbase=payload.fee_recipient,
        state_root=payload.state_root,
        transactions_root=ordered_trie_root(payload.transactions),
        receipts_root=payload.receipts_root,
        logs_bloom=payload.logs_bloom,
        difficulty=0,
        number=payload.block_number,
        gas_limit=payload.gas_limit,
        gas_used=payload.gas_used,
        timestamp=payload.timestamp,
        extra_data=payload.extra_data,
        mix_hash=payload.prev_randao,
        nonce=bytes(8),
        base_fee_per_gas_wei=payload.base_fee_per_gas,
        withdrawals_root=None if payload.withdrawals is None else withdrawals_root(payload.withdrawals),
        blob_gas_used=payload.blob_gas_used,
        excess_blob_gas=payload.excess_blob_gas,
        parent_beacon_block_root=parent_beacon_block_root if fork >= ConsensusFork.DENEB else None,
        requests_hash=requests_hash(requests) if requests and fork >= ConsensusFork.ELECTRA else None,
    )


@lru_cache(maxsize=MOST_DECODED)
def _decoded(raw: bytes) -> Transaction:
    """Decode a transaction once: the bids of a slot hold nearly the same ones, from every builder."""
    return decode_transaction(raw)


def transactions_of(payload: ExecutionPayload) -> tuple[Transaction, ...]:
    """Decode a payload's transactions; an undecodable one is named by its index."""
    decoded = []
    for index, raw in enumerate(payload.transactions):
        try:
            decoded.append(_decoded(raw) if len(raw) <= MOST_KEPT_BYTES else decode_transaction(raw))
        except DecodeError as error:
            raise DecodeError(error.reason, f"transactions[{index}]: {error.detail}") from error
    return tuple(decoded)


def block_of(
    fork: ConsensusFork,
    payload: ExecutionPayload,
    *,
    parent_beacon_block_root: bytes | None = None,
    requests: ExecutionRequests | None = None,
) -> Block:
    """Return the block that a payload stands for; its hash is computed, not taken from the payload."""
    header = header_of(fork, payload, parent_beacon_block_root=parent_beacon_block_root, requests=requests)
    return block_under(header, payload)


def block_under(header: Header, payload: ExecutionPayload) -> Block:
    """Return the block of a payload whose header has been worked out."""
    return Block(header_hash(header), header, transactions_of(payload), (), payload.withdrawals)


def payload_of(block: Block) -> ExecutionPayload:
    """Return the payload of a sealed post-merge block."""
    header = block.header
    if header.base_fee_per_gas_wei is None or header.difficulty:
        raise InputError(f"block {header.number} is from before the merge; no payload carries it")
    return ExecutionPayload(
        parent_hash=header.parent_hash,
        fee_recipient=header.coinbase,
        state_root=header.state_root,
        receipts_root=header.receipts_root,
        logs_bloom=header.logs_bloom,
        prev_randao=header.mix_hash,
        block_number=header.number,
        gas_limit=header.gas_limit,
        gas_used=header.gas_used,
        timestamp=header.timestamp,
        extra_data=header.extra_data,
        base_fee_per_gas=header.base_fee_per_gas_wei,
        block_hash=block.hash,
        transactions=tuple(transaction.raw for transaction in block.transactions),
        withdrawals=block.withdrawals,
        blob_gas_used=header.blob_gas_used,
        excess_blob_gas=header.excess_blob_gas,
    )
