"""The KZG point evaluation precompile (EIP-4844); py-evm's own reads the trusted setup for every call."""

import hashlib
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Any

import ckzg
from eth.exceptions import VMError

POINT_EVALUATION_ADDRESS = (10).to_bytes(20, "big")
_GAS = 50_000
_INPUT_BYTES = 192
_VERSION = b"\x01"
_FIELD_ELEMENTS_PER_BLOB = 4_096
_BLS_MODULUS = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
_OUTPUT = _FIELD_ELEMENTS_PER_BLOB.to_bytes(32, "big") + _BLS_MODULUS.to_bytes(32, "big")


@lru_cache(maxsize=1)
def _trusted_setup() -> Any:
    with as_file(files("eth") / "_utils" / "kzg_trusted_setup.txt") as path:
        return ckzg.load_trusted_setup(str(path), 0)


def point_evaluation(computation: Any) -> Any:
    """Check that the polynomial behind a commitment has the value y at z."""
    computation.consume_gas(_GAS, "point evaluation")
    data = computation.msg.data_as_bytes
    if len(data) != _INPUT_BYTES:
        raise VMError(f"point evaluation takes {_INPUT_BYTES} bytes, got {len(data)}")
    versioned_hash, z, y, commitment, proof = data[:32], data[32:64], data[64:96], data[96:144], data[144:]
    if _VERSION + hashlib.sha256(commitment).digest()[1:] != versioned_hash:
        raise VMError("the commitment does not have the versioned hash")
    try:
        proven = ckzg.verify_kzg_proof(commitment, z, y, proof, _trusted_setup())
    except RuntimeError as error:  # what ckzg raises for bytes that are no point or field element
        raise VMError(f"point evaluation: {error}") from error
    if not proven:
        raise VMError("the proof does not hold")
    computation.output = _OUTPUT
    return computation
