"""Transactions of types 0 to 4: the values, and strict decoding with sender recovery."""

from dataclasses import dataclass

from mev_dagster.chain import rlp
from mev_dagster.chain.ecdsa import SECP256K1_HALF_N, SECP256K1_N, recover_address
from mev_dagster.chain.envelope import BLOB, split_transaction
from mev_dagster.chain.nested_lists import AuthorizationFields
from mev_dagster.errors import DecodeError
from mev_dagster.units import MIB

# One mebibyte of envelope plus a sidecar of nine blobs with cell proofs fits; geth's pool limit is lower.
MAX_NETWORK_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True)
class AccessListEntry:
    """One address with its storage keys (EIP-2930)."""

    address: bytes
    storage_keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """One EIP-7702 authorization tuple; `authority` is the recovered signer, None when unrecoverable."""

    chain_id: int
    address: bytes
    nonce: int
    y_parity: int
    r: int
    s: int
    authority: bytes | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction with its recovered sender.

    `raw` is the canonical consensus encoding (`type || rlp(fields)`, or the legacy RLP list), never a
    blob sidecar. `to` is None for contract creation. `v` is the signature's v as signed (0/1 for typed).
    """

    hash: bytes
    type: int
    chain_id: int | None
    nonce: int
    sender: bytes
    to: bytes | None
    value_wei: int
    gas_limit: int
    gas_price_wei: int | None
    max_fee_per_gas_wei: int | None
    max_priority_fee_per_gas_wei: int | None
    max_fee_per_blob_gas_wei: int | None
    data: bytes
    access_list: tuple[AccessListEntry, ...]
    blob_versioned_hashes: tuple[bytes, ...]
    authorization_list: tuple[Authorization, ...]
    v: int
    r: int
    s: int
    raw: bytes

    @property
    def selector(self) -> bytes | None:
        """First four bytes of a call's input; None for creations and shorter inputs."""
        return self.data[:4] if self.to is not None and len(self.data) >= 4 else None

    @property
    def input_len(self) -> int:
        """Number of input bytes."""
        return len(self.data)

    @property
    def raw_len(self) -> int:
        """Number of bytes of the consensus encoding."""
        return len(self.raw)

    @property
    def fee_cap_wei(self) -> int:
        """The most a unit of gas may cost: max_fee_per_gas, or the gas price before EIP-1559."""
        cap = self.gas_price_wei if self.max_fee_per_gas_wei is None else self.max_fee_per_gas_wei
        assert cap is not None, "every type has one of the two"
        return cap

    def effective_priority_fee_wei(self, base_fee_per_gas_wei: int | None) -> int:
        """What the coinbase receives per unit of gas; negative when the fee cap is below the base fee."""
        above_base = self.fee_cap_wei - (base_fee_per_gas_wei or 0)
        if self.max_priority_fee_per_gas_wei is None:
            return above_base
        return min(self.max_priority_fee_per_gas_wei, above_base)

    def effective_gas_price_wei(self, base_fee_per_gas_wei: int | None) -> int:
        """What the sender pays per unit of gas in a block with this base fee."""
        return (base_fee_per_gas_wei or 0) + self.effective_priority_fee_wei(base_fee_per_gas_wei)


def recover_authorization(fields: AuthorizationFields) -> Authorization:
    """Complete an authorization with its signer."""
    return Authorization(
        fields.chain_id,
        fields.address,
        fields.nonce,
        fields.y_parity,
        fields.r,
        fields.s,
        _recover_authority(fields),
    )


def _recover_authority(fields: AuthorizationFields) -> bytes | None:
    """Return who signed an authorization, or None: an invalid one is skipped, it spoils no transaction."""
    if fields.y_parity > 1 or not 0 < fields.r < SECP256K1_N or not 0 < fields.s <= SECP256K1_HALF_N:
        return None
    signature = fields.r.to_bytes(32, "big") + fields.s.to_bytes(32, "big")
    try:
        return recover_address(fields.signing_hash, signature, fields.y_parity)
    except DecodeError:
        return None


def decode_transaction(raw: bytes, *, allow_high_s: bool = False) -> Transaction:
    """Decode a raw transaction in consensus form and recover its sender; raises `DecodeError`.

    `allow_high_s` is for blocks before Homestead, whose legacy signatures need not have a low s.
    """
    envelope = split_transaction(raw, allow_high_s=allow_high_s)
    return Transaction(
        hash=envelope.hash,
        type=envelope.type,
        chain_id=envelope.chain_id,
        nonce=envelope.nonce,
        sender=recover_address(envelope.signing_hash, envelope.signature, envelope.y_parity),
        to=envelope.to or None,
        value_wei=envelope.value_wei,
        gas_limit=envelope.gas_limit,
        gas_price_wei=envelope.gas_price_wei,
        max_fee_per_gas_wei=envelope.max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=envelope.max_priority_fee_per_gas_wei,
        max_fee_per_blob_gas_wei=envelope.max_fee_per_blob_gas_wei,
        data=envelope.data,
        access_list=tuple([AccessListEntry(*pair) for pair in envelope.access_list]),
        blob_versioned_hashes=envelope.blob_versioned_hashes,
        authorization_list=tuple([recover_authorization(fields) for fields in envelope.authorizations]),
        v=envelope.v,
        r=int.from_bytes(envelope.signature[:32], "big"),
        s=int.from_bytes(envelope.signature[32:], "big"),
        raw=raw,
    )


def strip_sidecar(raw: bytes) -> tuple[bytes, int]:
    """Return the consensus form of a transaction in network form, and how many bytes its sidecar had.

    Only blob transactions differ (EIP-4844): `3 || rlp([fields, blobs, commitments, proofs])`, and with cell
    proofs (EIP-7594) `3 || rlp([fields, 1, blobs, commitments, cell_proofs])`. The sidecar is counted and
    dropped; its proofs are not checked here. The shape is, so that its sizes can be trusted.
    """
    if len(raw) > MAX_NETWORK_BYTES:
        raise DecodeError("too_large", f"{len(raw)} bytes, at most {MAX_NETWORK_BYTES} are read")
    if not raw or raw[0] != BLOB:
        return raw, 0
    position, end = rlp.list_span(raw, 1, len(raw))
    is_list, start, stop = rlp.payload_span(raw, position, end)
    if not is_list:
        return raw, 0  # the first field is the chain id: already in consensus form
    fields = raw[position:stop]
    position = stop
    version = 0
    is_list, start, stop = rlp.payload_span(raw, position, end)
    if not is_list:
        version = rlp.integer(raw[start:stop], bits=8, name="sidecar version")
        if version != 1:
            raise DecodeError("unknown_sidecar", f"sidecar version {version}, expected 1")
        position = stop
    sizes = [131_072, 48, 48]
    counts = []
    for size in sizes:
        is_list, start, stop = rlp.payload_span(raw, position, end)
        if not is_list:
            raise DecodeError("bad_sidecar", f"expected a list at byte {position} of the sidecar")
        counts.append(_count_strings(raw, start, stop, size))
        position = stop
    if position != end:
        raise DecodeError("bad_sidecar", f"{end - position} bytes after the sidecar")
    blobs, commitments, proofs = counts
    if commitments != blobs or proofs != blobs * (128 if version else 1):
        raise DecodeError("bad_sidecar", f"{blobs} blobs, {commitments} commitments, {proofs} proofs")
    consensus = raw[:1] + fields
    return consensus, len(raw) - len(consensus)


def _count_strings(raw: bytes, position: int, end: int, size: int) -> int:
    count = 0
    while position < end:
        is_list, start, position = rlp.payload_span(raw, position, end)
        if is_list or position - start != size:
            raise DecodeError("bad_sidecar", f"item at byte {start} of the sidecar is not {size} bytes")
        count += 1
    return count


def decode_network_transaction(raw: bytes) -> tuple[Transaction, int]:
    """Decode a transaction as peers send it; return it with the size of the sidecar that was dropped."""
    consensus, sidecar_bytes = strip_sidecar(raw)
    return decode_transaction(consensus), sidecar_bytes
