"""Intrinsic gas, calldata floor and blob schedule of every fork."""

from dataclasses import dataclass

from mev_dagster.chain.forks import GAS_PER_BLOB, Fork, blob_parameters
from mev_dagster.chain.transactions import Transaction

MAX_INITCODE_BYTES = 49_152  # EIP-3860
TX_GAS_CAP = 1 << 24  # EIP-7825
MAX_BLOBS_PER_TX = 6  # EIP-7594

_TX = 21_000
_CREATE = 32_000
_ZERO_BYTE = 4
_NONZERO_BYTE_FRONTIER = 68
_NONZERO_BYTE_ISTANBUL = 16  # EIP-2028
_ACCESS_LIST_ADDRESS = 2_400  # EIP-2930
_ACCESS_LIST_SLOT = 1_900
_INITCODE_WORD = 2  # EIP-3860
_AUTHORIZATION = 25_000  # EIP-7702
_FLOOR_PER_TOKEN = 10  # EIP-7623


@dataclass(frozen=True, slots=True)
class IntrinsicGas:
    """What a transaction costs before its first opcode, and what it pays at least (EIP-7623; else 0)."""

    charged: int
    floor: int

    @property
    def required(self) -> int:
        """The least gas limit with which the transaction is valid."""
        return max(self.charged, self.floor)


def intrinsic_gas(tx: Transaction, fork: Fork) -> IntrinsicGas:
    """Return the intrinsic gas of a transaction under the fork's rules."""
    zeros = tx.data.count(0)
    nonzeros = len(tx.data) - zeros
    per_nonzero = _NONZERO_BYTE_ISTANBUL if fork >= Fork.ISTANBUL else _NONZERO_BYTE_FRONTIER
    charged = _TX + zeros * _ZERO_BYTE + nonzeros * per_nonzero
    if tx.to is None and fork >= Fork.HOMESTEAD:
        charged += _CREATE
    charged += _ACCESS_LIST_ADDRESS * len(tx.access_list)
    charged += _ACCESS_LIST_SLOT * sum(len(entry.storage_keys) for entry in tx.access_list)
    charged += _AUTHORIZATION * len(tx.authorization_list)
    if tx.to is None and fork >= Fork.SHANGHAI:
        charged += _INITCODE_WORD * ((len(tx.data) + 31) // 32)
    floor = _TX + _FLOOR_PER_TOKEN * (zeros + 4 * nonzeros) if fork >= Fork.PRAGUE else 0
    return IntrinsicGas(charged, floor)


def max_blobs_per_block(fork: Fork) -> int:
    """Return how many blobs a block may carry."""
    return blob_parameters(fork).maximum if fork >= Fork.CANCUN else 0


def blob_gas(tx: Transaction) -> int:
    """Return the blob gas of a transaction."""
    return GAS_PER_BLOB * len(tx.blob_versioned_hashes)
