"""Sign transactions and authorizations with keys the caller owns (devnets, simulations, benchmarks)."""

from collections.abc import Sequence

from coincurve import PrivateKey

from mev_dagster.chain import rlp
from mev_dagster.chain.ecdsa import address_of, sign_digest
from mev_dagster.chain.encoding import UnsignedTransaction
from mev_dagster.chain.envelope import DYNAMIC_FEE
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import (
    AccessListEntry,
    Authorization,
    Transaction,
    decode_transaction,
)

__all__ = [
    "address_of",
    "create2_address",
    "create_address",
    "sign",
    "sign_authorization",
    "sign_transaction",
]


def sign(private_key: bytes | PrivateKey, unsigned: UnsignedTransaction) -> bytes:
    """Sign and return the consensus encoding alone, without decoding it again."""
    y_parity, r, s = sign_digest(private_key, unsigned.signing_hash())
    return unsigned.encode_signed(unsigned.signature_v(y_parity), r, s)


def sign_transaction(
    private_key: bytes,
    *,
    chain_id: int | None,
    nonce: int,
    to: bytes | None,
    gas_limit: int,
    type: int = DYNAMIC_FEE,
    value_wei: int = 0,
    data: bytes = b"",
    gas_price_wei: int | None = None,
    max_fee_per_gas_wei: int | None = None,
    max_priority_fee_per_gas_wei: int | None = None,
    max_fee_per_blob_gas_wei: int | None = None,
    access_list: Sequence[AccessListEntry] = (),
    blob_versioned_hashes: Sequence[bytes] = (),
    authorization_list: Sequence[Authorization] = (),
) -> Transaction:
    """Sign deterministically (RFC 6979) and return the transaction as anyone would decode it.

    A legacy transaction with `chain_id=None` is signed without replay protection.
    """
    unsigned = UnsignedTransaction(
        type=type,
        chain_id=chain_id,
        nonce=nonce,
        to=to,
        value_wei=value_wei,
        data=data,
        gas_limit=gas_limit,
        gas_price_wei=gas_price_wei,
        max_fee_per_gas_wei=max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=max_priority_fee_per_gas_wei,
        max_fee_per_blob_gas_wei=max_fee_per_blob_gas_wei,
        access_list=access_list,
        blob_versioned_hashes=blob_versioned_hashes,
        authorization_list=authorization_list,
    )
    return decode_transaction(sign(private_key, unsigned))


def sign_authorization(private_key: bytes, *, chain_id: int, address: bytes, nonce: int) -> Authorization:
    """Sign an EIP-7702 authorization; chain id 0 makes it valid on every chain."""
    digest = keccak(b"\x05" + rlp.encode([chain_id, address, nonce]))
    y_parity, r, s = sign_digest(private_key, digest)
    return Authorization(chain_id, address, nonce, y_parity, r, s, address_of(private_key))


def create_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of a contract created by a transaction or CREATE."""
    return keccak(rlp.encode([sender, nonce]))[12:]


def create2_address(sender: bytes, salt: bytes, init_code: bytes) -> bytes:
    """Return the address of a contract created by CREATE2 (EIP-1014)."""
    return keccak(b"\xff" + sender + salt + keccak(init_code))[12:]
