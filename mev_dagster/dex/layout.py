"""Where a contract keeps the value of a mapping whose key is an address."""

from mev_dagster.chain.keccak import keccak
from mev_dagster.dex.abi import encode_words


def solidity_slot(position: int, holder: bytes) -> int:
    """Return the storage slot of `mapping[holder]` declared at `position` in Solidity."""
    return int.from_bytes(keccak(encode_words((holder, position))), "big")


def vyper_slot(position: int, holder: bytes) -> int:
    """Return the storage slot of `HashMap[holder]` declared at `position` in Vyper."""
    return int.from_bytes(keccak(encode_words((position, holder))), "big")
