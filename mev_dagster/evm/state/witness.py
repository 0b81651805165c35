"""An execution witness: the trie nodes, codes and ancestors with which one block can be checked alone.

It is a `StateSource` whose every answer is proven from the parent's state root, and it gives the state
root after a block's changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import Header
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, keccak
from mev_dagster.errors import DecodeError, MissingState
from mev_dagster.evm.native import native, native_is_installed
from mev_dagster.evm.revm.wire import pack_changes
from mev_dagster.evm.state.partial_trie import PartialTrie
from mev_dagster.evm.types import ABSENT_ACCOUNT, Account, AccountDiff
from mev_dagster.hexadecimal import to_hex

_ACCOUNT_ITEMS = 4


class Witness:
    """State under one root, as far as the witness goes."""

    def __init__(
        self,
        state_root: bytes,
        nodes: Mapping[bytes, bytes],
        codes: Mapping[bytes, bytes],
        block_hashes: Mapping[int, bytes],
        *,
        ancestors: Sequence[Header] = (),
        preimages: Sequence[bytes] = (),
    ) -> None:
        self.state_root = state_root
        self.nodes = nodes
        self.codes = codes
        self.ancestors = tuple(ancestors)
        self.preimages = tuple(preimages)
        self._block_hashes = block_hashes
        self._accounts = PartialTrie(state_root, nodes)
        self._native: Any = None

    @property
    def anchored(self) -> bool:
        """Say whether a parent's header stands behind the state root."""
        return any(header.state_root == self.state_root for header in self.ancestors)

    def account(self, address: bytes) -> Account:
        """Return a proven account."""
        fields = self._fields(address)
        if fields is None:
            return ABSENT_ACCOUNT
        nonce, balance, _, code_hash = fields
        return Account(balance, nonce, code_hash)

    def storage(self, address: bytes, slot: int) -> int:
        """Return a proven slot."""
        fields = self._fields(address)
        if fields is None:
            return 0
        value = PartialTrie(fields[2], self.nodes).get(_slot_key(slot))
        return 0 if value is None else rlp.integer(rlp.decode(value), bits=256, name="slot")

    def code(self, code_hash: bytes) -> bytes:
        """Return a code by its hash."""
        if code_hash == EMPTY_CODE_HASH:
            return b""
        if code_hash not in self.codes:
            raise MissingState("code", to_hex(code_hash))
        return self.codes[code_hash]

    def block_hash(self, number: int) -> bytes:
        """Return an ancestor's hash."""
        if number not in self._block_hashes:
            raise MissingState("block_hash", str(number))
        return self._block_hashes[number]

    def root_after(self, state_diff: Mapping[bytes, AccountDiff]) -> bytes:
        """Return the state root after these changes; the witness itself stays as it is."""
        if native_is_installed():
            return self._native_root_after(state_diff)
        return self.root_by_reference(state_diff)

    def _native_root_after(self, state_diff: Mapping[bytes, AccountDiff]) -> bytes:
        if self._native is None:
            self._native = native().Witness(list(self.nodes.values()))
        try:
            root, missing = self._native.root_after(self.state_root, pack_changes(state_diff))
        except ValueError as error:
            raise DecodeError("bad_trie_node", str(error)) from error
        if root is None:
            raise MissingState("trie_node", to_hex(missing))
        return bytes(root)

    def root_by_reference(self, state_diff: Mapping[bytes, AccountDiff]) -> bytes:
        """Return what `root_after` does, computed here: what the extension is held against."""
        accounts = PartialTrie(self.state_root, self.nodes)
        # Removals come last: they may join nodes that a write has just brought into view.
        for address, diff in sorted(state_diff.items(), key=lambda item: item[1].deleted):
            accounts.put(keccak(address), b"" if diff.deleted else self._account_after(address, diff))
        return accounts.root()

    def _account_after(self, address: bytes, diff: AccountDiff) -> bytes:
        nonce, balance, storage_root, code_hash = self._fields(address) or (
            0,
            0,
            EMPTY_TRIE_ROOT,
            EMPTY_CODE_HASH,
        )
        storage = PartialTrie(EMPTY_TRIE_ROOT if diff.storage_cleared else storage_root, self.nodes)
        for slot, value in sorted(diff.storage.items(), key=lambda item: item[1] == 0):
            storage.put(_slot_key(slot), rlp.encode_int(value) if value else b"")
        return rlp.encode(
            [
                nonce if diff.nonce is None else diff.nonce,
                balance if diff.balance_wei is None else diff.balance_wei,
                storage.root(),
                code_hash if diff.code is None else keccak(diff.code),
            ]
        )

    def _fields(self, address: bytes) -> tuple[int, int, bytes, bytes] | None:
        """Return nonce, balance, storage root and code hash as the state trie holds them."""
        encoded = self._accounts.get(keccak(address))
        if encoded is None:
            return None
        items = rlp.decode_list(encoded)
        if len(items) != _ACCOUNT_ITEMS:
            raise DecodeError("bad_account", f"{len(items)} fields, expected {_ACCOUNT_ITEMS}")
        return (
            rlp.integer(items[0], bits=64, name="nonce"),
            rlp.integer(items[1], bits=256, name="balance"),
            rlp.fixed(items[2], 32, name="storage root"),
            rlp.fixed(items[3], 32, name="code hash"),
        )


def _slot_key(slot: int) -> bytes:
    return keccak(slot.to_bytes(32, "big"))
