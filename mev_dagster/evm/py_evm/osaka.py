"""Osaka on top of py-evm's Prague: CLZ, P256VERIFY and the MODEXP bound and price.

The transaction gas cap (EIP-7825) and the blob limits are rules of validity, see `evm/validate.py`.
"""

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from eth.exceptions import OutOfGas
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.opcode import as_opcode

from mev_dagster.evm.py_evm.modexp import MODEXP_ADDRESS, modexp

_CLZ = 0x1E
_GAS_LOW = 5
_P256_ADDRESS = (0x100).to_bytes(20, "big")
_P256_GAS = 6_900
_P256_INPUT_BYTES = 160
_MODEXP_MAX_BYTES = 1_024  # EIP-7823
_MODEXP_MIN_GAS = 500  # EIP-7883


def count_leading_zeros(computation: Any) -> None:
    """CLZ (EIP-7939): the number of zero bits before the highest set bit; 256 for zero."""
    computation.stack_push_int(256 - computation.stack_pop1_int().bit_length())


def p256_verify(computation: Any) -> Any:
    """P256VERIFY (EIP-7951): one word of 1 for a valid signature, nothing otherwise."""
    computation.consume_gas(_P256_GAS, reason="P256VERIFY")
    data = computation.msg.data_as_bytes
    computation.output = (1).to_bytes(32, "big") if _is_valid_p256(data) else b""
    return computation


def _is_valid_p256(data: bytes) -> bool:
    if len(data) != _P256_INPUT_BYTES:
        return False
    digest, (r, s, x, y) = data[:32], (int.from_bytes(data[at : at + 32], "big") for at in range(32, 160, 32))
    try:
        # Refuses coordinates outside the field, points off the curve and the point at infinity.
        public_key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        public_key.verify(
            utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        )
    except (ValueError, InvalidSignature):
        return False
    return True


def _osaka_modexp_gas(base_length: int, exponent_length: int, modulus_length: int, head: int) -> int:
    if max(base_length, exponent_length, modulus_length) > _MODEXP_MAX_BYTES:
        raise OutOfGas(f"MODEXP lengths above {_MODEXP_MAX_BYTES} bytes (EIP-7823)")
    longest = max(base_length, modulus_length)
    complexity = 2 * ((longest + 7) // 8) ** 2 if longest > 32 else 16
    iterations = max(head.bit_length() - 1, 0)
    if exponent_length > 32:
        iterations += 16 * (exponent_length - 32)
    return max(_MODEXP_MIN_GAS, complexity * max(iterations, 1))


def _osaka_modexp(computation: Any) -> Any:
    return modexp(computation, _osaka_modexp_gas)


class OsakaComputation(PragueComputation):  # type: ignore[misc]
    """Opcodes and precompiles of Osaka, BPO1 and BPO2."""

    opcodes = {  # noqa: RUF012 - py-evm's own form
        **PragueComputation.opcodes,
        _CLZ: as_opcode(logic_fn=count_leading_zeros, mnemonic="CLZ", gas_cost=_GAS_LOW),
    }
    _precompiles = {  # noqa: RUF012
        **PragueComputation.get_precompiles(),
        MODEXP_ADDRESS: _osaka_modexp,
        _P256_ADDRESS: p256_verify,
    }
