"""The whole state behind a block, as development nodes dump it, proven by the header's state root.

Only a state whose root is the header's is handed out; it is `complete`, so what it does not list does not
exist and every later state root can be computed from it.
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mev_dagster.chain.blocks import Header, header_hash
from mev_dagster.chain.jsonrpc import header_from_rpc
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.errors import NodeAnswerError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.http import JsonRpc
from mev_dagster.units import GIB

BLOCK_HASHES = 256  # how far back BLOCKHASH sees
MAX_DUMP_BYTES = GIB
TRIES = 5  # a node that mines while it dumps is asked again


def newest_full_state(rpc: JsonRpc) -> tuple[Header, Prestate]:
    """Return the node's newest header and the whole state behind it, or say why there is none to trust."""
    reason = ""
    for _ in range(TRIES):
        header = header_from_rpc(_object(rpc.call("eth_getBlockByNumber", ["latest", False]), "latest block"))
        state = _dumped(rpc, header.number)
        root = state.state_root()
        if root == header.state_root:
            return header, replace(state, block_hashes=_ancestors(rpc, header))
        reason = f"the dump has root {to_hex(root)}, block {header.number} has {to_hex(header.state_root)}"
    raise NodeAnswerError(f"{rpc.shown_url}: no whole state: {reason}")


def _dumped(rpc: JsonRpc, number: int) -> Prestate:
    try:
        return parse_anvil_dump(rpc.call("anvil_dumpState"))
    except NodeAnswerError as no_anvil:
        try:
            return parse_geth_dump(rpc.call("debug_dumpBlock", [hex(number)]))
        except NodeAnswerError as no_geth:
            raise NodeAnswerError(f"the node dumps no state: {no_anvil}; {no_geth}") from no_geth


def parse_anvil_dump(answer: Any) -> Prestate:
    """Read `anvil_dumpState`: gzip over JSON, accounts with nonce, balance, code and slots."""
    try:
        inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        text = inflate.decompress(from_hex(answer), MAX_DUMP_BYTES)
        return _state(json.loads(text)["accounts"], balance_base=16)
    except (TypeError, ValueError, KeyError, AttributeError, zlib.error, gzip.BadGzipFile) as error:
        raise NodeAnswerError(f"anvil_dumpState: not a state: {error}") from error


def parse_geth_dump(answer: Any) -> Prestate:
    """Read `debug_dumpBlock`: accounts with decimal balances, code without 0x, slots by their preimage."""
    try:
        return _state(answer["accounts"], balance_base=10)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise NodeAnswerError(f"debug_dumpBlock: not a state: {error}") from error


def _state(dumped: Mapping[str, Mapping[str, Any]], *, balance_base: int) -> Prestate:
    accounts, codes = {}, {}
    for address, fields in dumped.items():
        code = from_hex(fields.get("code") or "")
        code_hash = keccak(code) if code else EMPTY_CODE_HASH
        if code:
            codes[code_hash] = code
        slots = {int(slot, 16): int(value, 16) for slot, value in (fields.get("storage") or {}).items()}
        nonce = fields["nonce"]
        accounts[from_hex(address)] = Account(
            balance_wei=int(fields["balance"], balance_base),
            nonce=nonce if isinstance(nonce, int) else int(nonce, 16),
            code_hash=code_hash,
            storage={slot: value for slot, value in slots.items() if value},
        )
    return Prestate(accounts, codes, complete=True)


def _ancestors(rpc: JsonRpc, header: Header) -> dict[int, bytes]:
    """Return the hashes BLOCKHASH may ask for in the next block: this one's and those before it."""
    first = max(0, header.number + 1 - BLOCK_HASHES)
    answers = rpc.batch([("eth_getBlockByNumber", [hex(n), False]) for n in range(first, header.number)])
    hashes = {header.number: header_hash(header)}
    for number, answer in zip(range(first, header.number), answers, strict=True):
        hashes[number] = header_hash(header_from_rpc(_object(answer, f"block {number}")))
    return hashes


def _object(answer: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise NodeAnswerError(f"{what}: expected an object, found {answer!r:.80}")
    return answer
