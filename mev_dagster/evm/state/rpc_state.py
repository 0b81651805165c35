"""State of a live node after one block, loaded when execution asks for it, proven, and recorded.

`eth_getProof` gives balance, nonce, code hash and slots of an account with their proof under the block's
state root; `eth_getCode` is asked once for each code hash. What a block has read becomes a `Prestate` that
gives the same results offline. What it has not changed stays known for the next block.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import Header
from mev_dagster.chain.jsonrpc import header_from_rpc
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, keccak
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError, MevError, MissingState, NodeAnswerError
from mev_dagster.evm.state.partial_trie import PartialTrie, nodes_by_hash
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.state_cache import StateCache
from mev_dagster.evm.types import ABSENT_ACCOUNT, Account, AccountDiff
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.http import JsonRpc, call_object

_HASH_BYTES, _ADDRESS_BYTES = 32, 20
_SLOTS_PER_REQUEST = 256
# What a trie does not hold is zero. anvil keeps some zeros as leaves, which says the same.
_NOTHING = rlp.encode_int(0)
_BLOCK_HASHES = 256  # how far back BLOCKHASH sees
_ACCOUNTS_KEPT, _SLOTS_KEPT, _CODES_KEPT = 100_000, 1_000_000, 10_000


class RpcState:
    """A `StateSource` over JSON-RPC, pinned to the state after one block.

    With `state_root` every answer is proven against it, so that a node can be slow but not wrong, and a
    reorg that replaces the block cannot mix two states.
    """

    def __init__(
        self,
        rpc: JsonRpc,
        number: int,
        *,
        state_root: bytes | None = None,
        accounts_kept: int = _ACCOUNTS_KEPT,
        slots_kept: int = _SLOTS_KEPT,
        codes_kept: int = _CODES_KEPT,
    ) -> None:
        self.number = number
        self._rpc = rpc
        self._state_root = state_root
        self._cache = StateCache(accounts_kept=accounts_kept, slots_kept=slots_kept, codes_kept=codes_kept)
        self._address_of_code: dict[bytes, bytes] = {}
        self._block_hashes: dict[int, bytes] = {}
        self._read_accounts: set[bytes] = set()
        self._read_slots: set[tuple[bytes, int]] = set()
        self._read_codes: set[bytes] = set()
        self._read_hashes: set[int] = set()

    @classmethod
    def at(cls, rpc: JsonRpc, number: int) -> "RpcState":
        """Pin to a block of the node, taking its word for the block's state root only."""
        return cls(rpc, number, state_root=fetch_header(rpc, number).state_root)

    def account(self, address: bytes) -> Account:
        """Return the account, asking the node the first time."""
        self._read_accounts.add(address)
        if address not in self._cache.accounts:
            self.prefetch([(address, ())])
        return self._cache.accounts[address]

    def storage(self, address: bytes, slot: int) -> int:
        """Return one slot, asking the node the first time."""
        self._read_slots.add((address, slot))
        if (address, slot) not in self._cache.slots:
            self.prefetch([(address, (slot,))])
        return self._cache.slots[address, slot]

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of an account that was asked for before; checked against its hash."""
        if code_hash == EMPTY_CODE_HASH:
            return b""
        self._read_codes.add(code_hash)
        if code_hash not in self._cache.codes:
            address = self._address_of_code.get(code_hash)
            if address is None:
                raise MissingState("code", to_hex(code_hash))
            self._fetch_codes([(code_hash, address)])
        return self._cache.codes[code_hash]

    def block_hash(self, number: int) -> bytes:
        """Return an ancestor's hash."""
        self._read_hashes.add(number)
        if number not in self._block_hashes:
            self.prefetch_block_hashes([number])
        return self._block_hashes[number]

    def known_account(self, address: bytes) -> Account | None:
        """Return an account if it is known without asking the node; this does not count as reading it."""
        return self._cache.accounts.get(address)

    def known_slot(self, address: bytes, slot: int) -> int | None:
        """Return a slot if it is known without asking the node."""
        return self._cache.slots.get((address, slot))

    def known_code(self, code_hash: bytes) -> bytes | None:
        """Return a code if it is known without asking the node."""
        return b"" if code_hash == EMPTY_CODE_HASH else self._cache.codes.get(code_hash)

    def known_block_hash(self, number: int) -> bytes | None:
        """Return an ancestor's hash if it is known without asking the node."""
        return self._block_hashes.get(number)

    def prefetch_block_hashes(self, numbers: Sequence[int]) -> None:
        """Load ancestors' hashes in one batch."""
        headers = self._rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        for number, header in zip(numbers, headers, strict=True):
            if not isinstance(header, Mapping):
                raise MissingState("block_hash", str(number))
            self._block_hashes[number] = _data(header.get("hash"), _HASH_BYTES, "hash")

    def prefetch(self, wanted: Iterable[tuple[bytes, Iterable[int]]], *, codes: bool = False) -> None:
        """Load accounts with slots in one batch; with `codes`, the codes they turn out to have in another."""
        asked = [
            (address, ordered[start : start + _SLOTS_PER_REQUEST])
            for address, slots in wanted
            for ordered in (sorted(slots),)
            for start in range(0, max(len(ordered), 1), _SLOTS_PER_REQUEST)
        ]
        answers = self._rpc.batch(
            [
                (
                    "eth_getProof",
                    [to_hex(address), [f"{slot:#066x}" for slot in slots], hex(self.number)],
                )
                for address, slots in asked
            ]
        )
        for (address, slots), answer in zip(asked, answers, strict=True):
            try:
                self._take(address, slots, answer)
            except MevError as error:
                raise NodeAnswerError(
                    f"{self._rpc.shown_url}: eth_getProof of {to_hex(address)} at {self.number}: {error}"
                ) from error
        if codes:
            hashed = {self._cache.accounts[address].code_hash: address for address, _ in asked}
            self._fetch_codes(
                [item for item in hashed.items() if item[0] not in {EMPTY_CODE_HASH, *self._cache.codes}]
            )

    def prefetch_transactions(self, txs: Sequence[Transaction], coinbase: bytes) -> None:
        """Load what transactions name themselves: senders, targets, access lists, delegating accounts."""
        wanted: dict[bytes, set[int]] = {coinbase: set()}
        for tx in txs:
            for address in (tx.sender, tx.to, *(signed.authority for signed in tx.authorization_list)):
                if address is not None:
                    wanted.setdefault(address, set())
            for entry in tx.access_list:
                slots = wanted.setdefault(entry.address, set())
                slots.update(int.from_bytes(key, "big") for key in entry.storage_keys)
        self.prefetch_unknown(wanted)

    def prefetch_unknown(self, wanted: Mapping[bytes, Iterable[int]]) -> None:
        """Load accounts with slots and codes as far as they are not known, in two batches."""
        unknown = [
            (address, [slot for slot in slots if (address, slot) not in self._cache.slots])
            for address, slots in wanted.items()
        ]
        needed = [item for item in unknown if item[1] or item[0] not in self._cache.accounts]
        if needed:
            self.prefetch(needed, codes=True)

    def prefetch_hints(self, txs: Sequence[Transaction]) -> None:
        """Load what the node says transactions would touch (`eth_createAccessList`), each on its own.

        Hints only: what is missing is loaded when it is asked for, and a node without the method gives none.
        """
        answers = self._rpc.batch_settled(
            [("eth_createAccessList", [call_object(tx, nonce=False), hex(self.number)]) for tx in txs]
        )
        wanted: dict[bytes, set[int]] = {}
        for answer in answers:
            for entry in answer.get("accessList", ()) if isinstance(answer, Mapping) else ():
                slots = wanted.setdefault(_data(entry.get("address"), _ADDRESS_BYTES, "address"), set())
                slots.update(_quantity(key, "storageKeys") for key in entry.get("storageKeys", ()))
        self.prefetch_unknown(wanted)

    def advance(self, header: Header, state_diff: Mapping[bytes, AccountDiff]) -> None:
        """Move to the next block, forgetting exactly what it changed."""
        if header.number != self.number + 1:
            raise InputError(f"block {header.number} does not follow {self.number}")
        self._cache.invalidate(state_diff)
        self.number, self._state_root = header.number, header.state_root
        self._cache.trim(sorted(self._read_accounts), sorted(self._read_slots), sorted(self._read_codes))
        self._address_of_code = {
            account.code_hash: address for address, account in self._cache.accounts.items()
        }
        self._block_hashes = {
            number: found
            for number, found in self._block_hashes.items()
            if number + _BLOCK_HASHES > header.number
        }
        for read in (self._read_accounts, self._read_slots, self._read_codes, self._read_hashes):
            read.clear()

    def recorded(self) -> Prestate:
        """Return everything that was read since the pinned block, frozen."""
        slots: dict[bytes, dict[int, int]] = {}
        for address, slot in sorted(self._read_slots):
            slots.setdefault(address, {})[slot] = self._cache.slots[address, slot]
        accounts = {
            address: replace(self.account(address), storage=slots.get(address, {}))
            for address in sorted(self._read_accounts | slots.keys())
        }
        return Prestate(
            accounts,
            {code_hash: self._cache.codes[code_hash] for code_hash in sorted(self._read_codes)},
            {number: self._block_hashes[number] for number in sorted(self._read_hashes)},
        )

    def _take(self, address: bytes, slots: Sequence[int], answer: Any) -> None:
        if not isinstance(answer, Mapping):
            raise NodeAnswerError(f"expected an object, got {answer!r:.80}")
        balance, nonce = _quantity(answer.get("balance"), "balance"), _quantity(answer.get("nonce"), "nonce")
        code_hash = _data(answer.get("codeHash"), _HASH_BYTES, "codeHash")
        storage_root = _data(answer.get("storageHash"), _HASH_BYTES, "storageHash")
        if code_hash == bytes(_HASH_BYTES):  # how some nodes say that there is no account
            code_hash, storage_root = EMPTY_CODE_HASH, EMPTY_TRIE_ROOT
        proofs = answer.get("storageProof") or []
        if len(proofs) != len(slots):
            raise NodeAnswerError(f"asked for {len(slots)} slots, got {len(proofs)}")
        found = {
            slot: _quantity(proof.get("value"), "storageProof.value")
            for slot, proof in zip(slots, proofs, strict=True)
        }
        absent = (balance, nonce, code_hash) == (0, 0, EMPTY_CODE_HASH)
        if self._state_root is not None:
            account = _NOTHING if absent else rlp.encode([nonce, balance, storage_root, code_hash])
            _check_proof(self._state_root, keccak(address), account, answer.get("accountProof"), "account")
            for (slot, value), proof in zip(found.items(), proofs, strict=True):
                key, nodes = keccak(slot.to_bytes(32, "big")), proof.get("proof")
                _check_proof(storage_root, key, rlp.encode_int(value), nodes, f"slot {slot:#x}")
        self._cache.accounts[address] = ABSENT_ACCOUNT if absent else Account(balance, nonce, code_hash)
        self._address_of_code[code_hash] = address
        self._cache.slots.update({(address, slot): value for slot, value in found.items()})

    def _fetch_codes(self, wanted: Sequence[tuple[bytes, bytes]]) -> None:
        answers = self._rpc.batch(
            [("eth_getCode", [to_hex(address), hex(self.number)]) for _, address in wanted]
        )
        for (code_hash, address), answer in zip(wanted, answers, strict=True):
            code = _data(answer, None, "eth_getCode")
            if keccak(code) != code_hash:
                raise NodeAnswerError(
                    f"{self._rpc.shown_url}: the code of {to_hex(address)} is not the one its proof names"
                )
            self._cache.codes[code_hash] = code


def fetch_header(rpc: JsonRpc, number: int) -> Header:
    """Return a block's header, checked against its hash."""
    answer = rpc.call("eth_getBlockByNumber", [hex(number), False])
    if not isinstance(answer, Mapping):
        raise NodeAnswerError(f"{rpc.shown_url}: has no block {number}")
    return header_from_rpc(answer)


def _check_proof(root: bytes, key: bytes, expected: bytes, nodes: Any, what: str) -> None:
    try:
        proof = nodes_by_hash(from_hex(node) for node in nodes)
        proven = PartialTrie(root, proof).get(key) or _NOTHING
    except (TypeError, ValueError, AttributeError, MevError) as error:
        raise NodeAnswerError(f"{what}: no proof under root {to_hex(root)}: {error}") from error
    if proven != expected:
        raise NodeAnswerError(f"{what}: the proof under root {to_hex(root)} says otherwise")


def _quantity(value: Any, name: str) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise NodeAnswerError(f"{name}: expected a hex quantity, got {value!r:.80}") from None


def _data(value: Any, size: int | None, name: str) -> bytes:
    try:
        found = from_hex(value)
    except (AttributeError, ValueError):
        raise NodeAnswerError(f"{name}: expected hex data, got {value!r:.80}") from None
    if size is not None and len(found) != size:
        raise NodeAnswerError(f"{name}: expected {size} bytes, got {len(found)}")
    return found
