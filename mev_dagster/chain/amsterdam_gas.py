"""What a transaction costs from Amsterdam on before its first instruction runs, by what it touches.

Sources: EIP-2780 (the base by resource), 7976 and 7981 (the floor of data and access lists), 8037 and 8038
(state and its access). What depends on the state (a new account, a delegation) is charged when it runs.
"""

from mev_dagster.chain.transactions import Transaction

TX_BASE = 12_000
TO_CREATE = 12_000
TO_COLD_ACCOUNT = 3_000
VALUE = 6_000
AUTHORIZATION = 7_816
ACCESS_LIST_ADDRESS = 2_900
ACCESS_LIST_KEY = 2_000
INIT_CODE_WORD = 2
ZERO_BYTE = 4
NON_ZERO_BYTE = 16
FLOOR_PER_BYTE = 64
ADDRESS_BYTES, KEY_BYTES = 20, 32


def base_gas(transaction: Transaction) -> int:
    """Return the base: inclusion and the sender, the recipient, the transfer of value (EIP-2780)."""
    if transaction.to is None:
        return TX_BASE + TO_CREATE
    if transaction.to == transaction.sender:
        return TX_BASE
    return TX_BASE + TO_COLD_ACCOUNT + (VALUE if transaction.value_wei else 0)


def _listed_bytes(transaction: Transaction) -> int:
    """Return how many bytes of addresses and keys the access list carries (EIP-7981)."""
    return sum(ADDRESS_BYTES + KEY_BYTES * len(entry.storage_keys) for entry in transaction.access_list)


def intrinsic_gas(transaction: Transaction) -> int:
    """Return the gas that is charged before the first instruction runs, whatever the state is."""
    zeros = transaction.data.count(0)
    gas = base_gas(transaction) + zeros * ZERO_BYTE + (len(transaction.data) - zeros) * NON_ZERO_BYTE
    if transaction.to is None:
        gas += INIT_CODE_WORD * ((len(transaction.data) + 31) // 32)
    for entry in transaction.access_list:
        gas += ACCESS_LIST_ADDRESS + ACCESS_LIST_KEY * len(entry.storage_keys)
    gas += FLOOR_PER_BYTE * _listed_bytes(transaction)
    return gas + AUTHORIZATION * len(transaction.authorization_list)


def floor_gas(transaction: Transaction) -> int:
    """Return the least gas a transaction pays for its data and access list (EIP-7623, 7976, 7981)."""
    return base_gas(transaction) + FLOOR_PER_BYTE * (len(transaction.data) + _listed_bytes(transaction))
