"""State of a live node at one pinned block, loaded when execution asks for it and recorded.

`eth_getProof` gives balance, nonce, code hash and slots of an account in one request; `eth_getCode` is
asked once for each code hash. What was read becomes a `Prestate` that gives the same results offline.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.errors import MissingState, NodeAnswerError
from mev_dagster.evm.prestate import Prestate
from mev_dagster.evm.rpc import JsonRpc
from mev_dagster.evm.types import ABSENT_ACCOUNT, Account

_HASH_BYTES, _ADDRESS_BYTES = 32, 20


class RpcState:
    """A `StateSource` over JSON-RPC, pinned to the state after block `number`."""

    def __init__(self, rpc: JsonRpc, number: int) -> None:
        self.number = number
        self._rpc = rpc
        self._block = hex(number)
        self._accounts: dict[bytes, Account] = {}
        self._storage: dict[bytes, dict[int, int]] = {}
        self._codes: dict[bytes, bytes] = {}
        self._address_of_code: dict[bytes, bytes] = {}
        self._block_hashes: dict[int, bytes] = {}

    def account(self, address: bytes) -> Account:
        """Return the account, asking the node the first time."""
        if address not in self._accounts:
            self.prefetch([(address, ())])
        return self._accounts[address]

    def storage(self, address: bytes, slot: int) -> int:
        """Return one slot, asking the node the first time."""
        known = self._storage.get(address, {})
        if slot not in known:
            self.prefetch([(address, (slot,))])
        return self._storage[address][slot]

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of an account that was asked for before; checked against its hash."""
        if code_hash == EMPTY_CODE_HASH:
            return b""
        if code_hash not in self._codes:
            address = self._address_of_code.get(code_hash)
            if address is None:
                raise MissingState("code", "0x" + code_hash.hex())
            self._fetch_codes([(code_hash, address)])
        return self._codes[code_hash]

    def block_hash(self, number: int) -> bytes:
        """Return an ancestor's hash."""
        if number not in self._block_hashes:
            header = self._rpc.call("eth_getBlockByNumber", [hex(number), False])
            if not isinstance(header, Mapping):
                raise MissingState("block_hash", str(number))
            self._block_hashes[number] = _data(header.get("hash"), _HASH_BYTES, "hash")
        return self._block_hashes[number]

    def prefetch(self, wanted: Iterable[tuple[bytes, Sequence[int]]], *, codes: bool = False) -> None:
        """Load accounts with slots in one batch; with `codes`, their codes in a second one."""
        asked = [(address, list(slots)) for address, slots in wanted]
        answers = self._rpc.batch(
            [
                ("eth_getProof", ["0x" + address.hex(), [f"{slot:#066x}" for slot in slots], self._block])
                for address, slots in asked
            ]
        )
        for (address, slots), answer in zip(asked, answers, strict=True):
            self._take(address, slots, answer)
        if codes:
            self._fetch_codes(
                [
                    (code_hash, address)
                    for code_hash, address in self._address_of_code.items()
                    if code_hash not in self._codes
                ]
            )

    def recorded(self) -> Prestate:
        """Return everything that was read, frozen."""
        accounts = {
            address: Account(
                account.balance_wei,
                account.nonce,
                account.code_hash,
                dict(self._storage.get(address, {})),
                account.exists,
            )
            for address, account in self._accounts.items()
        }
        return Prestate(accounts, dict(self._codes), dict(self._block_hashes))

    def _take(self, address: bytes, slots: Sequence[int], answer: Any) -> None:
        if not isinstance(answer, Mapping):
            raise NodeAnswerError(
                f"{self._rpc.shown_url}: eth_getProof: expected an object, got {answer!r:.80}"
            )
        balance, nonce = _quantity(answer.get("balance"), "balance"), _quantity(answer.get("nonce"), "nonce")
        code_hash = _data(answer.get("codeHash"), _HASH_BYTES, "codeHash")
        if code_hash == bytes(_HASH_BYTES):
            code_hash = EMPTY_CODE_HASH  # how some nodes say that there is no account
        proofs = answer.get("storageProof") or []
        if len(proofs) != len(slots):
            raise NodeAnswerError(
                f"{self._rpc.shown_url}: eth_getProof: asked for {len(slots)} slots, got {len(proofs)}"
            )
        if (balance, nonce, code_hash) == (0, 0, EMPTY_CODE_HASH):
            self._accounts[address] = ABSENT_ACCOUNT
        else:
            self._accounts[address] = Account(balance, nonce, code_hash)
        if code_hash != EMPTY_CODE_HASH:
            self._address_of_code.setdefault(code_hash, address)
        values = self._storage.setdefault(address, {})
        for slot, proof in zip(slots, proofs, strict=True):
            values[slot] = _quantity(proof.get("value"), "storageProof.value")

    def _fetch_codes(self, wanted: Sequence[tuple[bytes, bytes]]) -> None:
        answers = self._rpc.batch(
            [("eth_getCode", ["0x" + address.hex(), self._block]) for _, address in wanted]
        )
        for (code_hash, address), answer in zip(wanted, answers, strict=True):
            code = _data(answer, None, "eth_getCode")
            if keccak(code) != code_hash:
                raise NodeAnswerError(
                    f"{self._rpc.shown_url}: the code of 0x{address.hex()} is not the one its proof names"
                )
            self._codes[code_hash] = code


def _quantity(value: Any, name: str) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise NodeAnswerError(f"{name}: expected a hex quantity, got {value!r:.80}") from None


def _data(value: Any, size: int | None, name: str) -> bytes:
    try:
        found = bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError):
        raise NodeAnswerError(f"{name}: expected hex data, got {value!r:.80}") from None
    if size is not None and len(found) != size:
        raise NodeAnswerError(f"{name}: expected {size} bytes, got {len(found)}")
    return found
