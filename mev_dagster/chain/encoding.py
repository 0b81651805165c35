"""Encode transactions from their fields: the signing preimage and the consensus form of each type."""

from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.chain import rlp
from mev_dagster.chain.envelope import ACCESS_LIST, BLOB, DYNAMIC_FEE, LEGACY, SET_CODE
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import AccessListEntry, Authorization
from mev_dagster.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTransaction:
    """Everything a signer signs. Fee fields that the type does not have stay None."""

    type: int
    chain_id: int | None
    nonce: int
    to: bytes | None
    value_wei: int = 0
    data: bytes = b""
    gas_limit: int
    gas_price_wei: int | None = None
    max_fee_per_gas_wei: int | None = None
    max_priority_fee_per_gas_wei: int | None = None
    max_fee_per_blob_gas_wei: int | None = None
    access_list: Sequence[AccessListEntry] = ()
    blob_versioned_hashes: Sequence[bytes] = ()
    authorization_list: Sequence[Authorization] = ()

    def signing_hash(self) -> bytes:
        """Return the digest that the sender's key signs (EIP-155 for legacy with a chain id)."""
        fields = self._fields()
        if self.type == LEGACY:
            protection: list[rlp.Encodable] = [] if self.chain_id is None else [self.chain_id, 0, 0]
            return keccak(rlp.encode([*fields, *protection]))
        return keccak(bytes((self.type,)) + rlp.encode(fields))

    def encode_signed(self, v: int, r: int, s: int) -> bytes:
        """Return the consensus encoding with this signature."""
        encoded = rlp.encode([*self._fields(), v, r, s])
        return encoded if self.type == LEGACY else bytes((self.type,)) + encoded

    def signature_v(self, y_parity: int) -> int:
        """Return `v` as this transaction carries it for a recovery bit."""
        if self.type != LEGACY:
            return y_parity
        return 27 + y_parity if self.chain_id is None else 35 + 2 * self.chain_id + y_parity

    def _fields(self) -> list[rlp.Encodable]:
        to = self.to or b""
        call: list[rlp.Encodable] = [self.gas_limit, to, self.value_wei, self.data]
        if self.type == LEGACY:
            return [self.nonce, self._fee("gas_price_wei"), *call]
        if self.chain_id is None:
            raise InputError(f"a type {self.type} transaction needs a chain id")
        access: list[rlp.Encodable] = [
            [entry.address, list(entry.storage_keys)] for entry in self.access_list
        ]
        if self.type == ACCESS_LIST:
            return [self.chain_id, self.nonce, self._fee("gas_price_wei"), *call, access]
        fees = [self._fee("max_priority_fee_per_gas_wei"), self._fee("max_fee_per_gas_wei")]
        dynamic: list[rlp.Encodable] = [self.chain_id, self.nonce, *fees, *call, access]
        if self.type == DYNAMIC_FEE:
            return dynamic
        if self.type == BLOB:
            return [*dynamic, self._fee("max_fee_per_blob_gas_wei"), list(self.blob_versioned_hashes)]
        if self.type == SET_CODE:
            return [
                *dynamic,
                [[a.chain_id, a.address, a.nonce, a.y_parity, a.r, a.s] for a in self.authorization_list],
            ]
        raise InputError(f"no transaction type {self.type}")

    def _fee(self, name: str) -> int:
        value: int | None = getattr(self, name)
        if value is None:
            raise InputError(f"a type {self.type} transaction needs {name}")
        return value
