"""The accounts the protocol itself calls, and what is known of them where a captured state leaves them out.

A block's own transactions seldom touch them, so a recording of those has none of them, and no block could be
begun on it. Their codes are fixed by EIP-4788, 2935, 7002 and 7251.
"""

from collections.abc import Iterator
from dataclasses import replace

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.requests import (
    BEACON_ROOTS,
    CONSOLIDATION_REQUESTS,
    HISTORY,
    WITHDRAWAL_REQUESTS,
    contracts_asked,
)
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import Account, BlockEnv

HISTORY_LENGTH = 8_191
"""Entries of the ring buffers of beacon roots (EIP-4788) and block hashes (EIP-2935)."""
_QUEUE_SLOTS = range(4)
"""Excess, count, head and tail of a request contract's queue (EIP-7002, 7251)."""
_CODES = {
    BEACON_ROOTS: bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762"
        "001fff810690815414603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f3590"
        "62001fff015500"
    ),
    HISTORY: bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f3560014303811160425761"
        "1fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
    ),
    WITHDRAWAL_REQUESTS: bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe1460cb5760115f54807fffffffffffffffffffffffffff"
        "ffffffffffffffffffffffffffffffffffffff146101f457600182026001905f5b5f8211156068578101908302"
        "8483029004916001019190604d565b909390049250505036603814608857366101f457346101f4575f5260205f"
        "f35b34106101f457600154600101600155600354806003026004013381556001015f3581556001016020359055"
        "3360601b5f5260385f601437604c5fa0600101600355005b6003546002548082038060101160df575060105b5f"
        "5b8181146101835782810160030260040181604c02815460601b81526014018160010154815260200190600201"
        "54807fffffffffffffffffffffffffffffffff0000000000000000000000000000000016825290601001906040"
        "1c908160381c81600701538160301c81600601538160281c81600501538160201c81600401538160181c816003"
        "01538160101c81600201538160081c81600101535360010160e1565b910180921461019557906002556101a056"
        "5b90505f6002555f6003555b5f54807fffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffff14156101cd57505f5b6001546002828201116101e25750505f6101e8565b01600290035b5f555f600155"
        "604c025ff35b5f5ffd"
    ),
    CONSOLIDATION_REQUESTS: bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe1460d35760115f54807fffffffffffffffffffffffffff"
        "ffffffffffffffffffffffffffffffffffffff1461019a57600182026001905f5b5f8211156068578101908302"
        "8483029004916001019190604d565b9093900492505050366060146088573661019a573461019a575f5260205f"
        "f35b341061019a57600154600101600155600354806004026004013381556001015f3581556001016020358155"
        "60010160403590553360601b5f5260605f60143760745fa0600101600355005b60035460025480820380600211"
        "60e7575060025b5f5b8181146101295782810160040260040181607402815460601b8152601401816001015481"
        "52602001816002015481526020019060030154905260010160e9565b910180921461013b579060025561014656"
        "5b90505f6002555f6003555b5f54807fffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffff141561017357505f5b6001546001828201116101885750505f61018e565b01600190035b5f555f600155"
        "6074025ff35b5f5ffd"
    ),
}

PROTOCOL_ACCOUNTS = tuple(_CODES)
"""Their addresses."""


def knowing_protocol_accounts(state: Prestate, env: BlockEnv) -> Prestate:
    """Return the state with the accounts that the block begins and ends by calling.

    Only what is not listed is added: the code, the slots the block is about to overwrite, and an idle queue
    of requests. All else of them stays unknown. A whole state, or one that can ask a node, needs none of it.
    """
    if state.complete or state.fallback is not None:
        return state
    accounts: dict[bytes, Account] = {}
    codes: dict[bytes, bytes] = {}
    for address, slots in _called(env):
        held = state.accounts.get(address)
        if held is None and env.may_lack_request_contracts:
            continue
        code_hash = keccak(_CODES[address])
        known = Account(0, 1, code_hash) if held is None else held
        if known.code_hash == code_hash and code_hash not in state.codes:
            codes[code_hash] = _CODES[address]
        absent = [slot for slot in slots if slot not in known.storage]
        if held is None or (absent and known.code_hash != EMPTY_CODE_HASH):
            accounts[address] = replace(known, storage={**known.storage, **dict.fromkeys(absent, 0)})
    if not accounts and not codes:
        return state
    return replace(state, accounts={**state.accounts, **accounts}, codes={**state.codes, **codes})


def _called(env: BlockEnv) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """Yield each account the block calls, with the slots the call needs."""
    if env.fork >= Fork.CANCUN and env.parent_beacon_block_root is not None:
        entry = env.timestamp % HISTORY_LENGTH
        yield BEACON_ROOTS, (entry, entry + HISTORY_LENGTH)
    if env.fork >= Fork.PRAGUE and env.number > 0:
        yield HISTORY, ((env.number - 1) % HISTORY_LENGTH,)
    for _, address in contracts_asked(env.fork):
        if address in _CODES:
            yield address, tuple(_QUEUE_SLOTS)
