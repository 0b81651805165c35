"""Rules that a well-formed transaction must keep to enter a block, and that need no state.

Which rules hold depends on the fork. State (balance, account nonce, base fee) is the engines' business.
Sources: execution-specs `validate_transaction` and `check_transaction` of each fork; EIP-2028, 2681, 2930,
3860, 4844, 7594, 7623, 7702, 7825.
"""

from mev_dagster.chain import amsterdam_gas
from mev_dagster.chain.ecdsa import SECP256K1_HALF_N
from mev_dagster.chain.envelope import ACCESS_LIST, BLOB, DYNAMIC_FEE, LEGACY, SET_CODE
from mev_dagster.chain.forks import BlobParameters, Fork, blob_parameters
from mev_dagster.chain.networks import MAINNET, network_of
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InvalidTransaction, UnsupportedFork

NEWEST_FORK = Fork.AMSTERDAM
"""The last fork whose transaction rules are known here."""

TYPE_SINCE = {
    LEGACY: Fork.FRONTIER,
    ACCESS_LIST: Fork.BERLIN,
    DYNAMIC_FEE: Fork.LONDON,
    BLOB: Fork.CANCUN,
    SET_CODE: Fork.PRAGUE,
}

TX_GAS = 21_000
CREATE_GAS = 32_000
ZERO_BYTE_GAS = 4
NON_ZERO_BYTE_GAS_FRONTIER = 68
NON_ZERO_BYTE_GAS = 16
ACCESS_LIST_ADDRESS_GAS = 2_400
ACCESS_LIST_KEY_GAS = 1_900
INIT_CODE_WORD_GAS = 2
AUTHORIZATION_GAS = 25_000
FLOOR_GAS_PER_TOKEN = 10

MAX_INIT_CODE_BYTES = 49_152
MAX_GAS_LIMIT = 2**24  # EIP-7825
# From Amsterdam on the cap binds what execution may take; a limit may pay for state beyond it (EIP-8037).
MAX_GAS_LIMIT_AMSTERDAM = 2**32 - 1
MAX_INIT_CODE_BYTES_AMSTERDAM = 131_072  # EIP-7954
MAX_BLOBS_PER_TRANSACTION = 6
BLOB_HASH_VERSION = 1


def intrinsic_gas(transaction: Transaction, fork: Fork) -> int:
    """Return the gas that is charged before the first instruction runs."""
    if fork >= Fork.AMSTERDAM:
        return amsterdam_gas.intrinsic_gas(transaction)
    zeros = transaction.data.count(0)
    per_byte = NON_ZERO_BYTE_GAS if fork >= Fork.ISTANBUL else NON_ZERO_BYTE_GAS_FRONTIER
    gas = TX_GAS + zeros * ZERO_BYTE_GAS + (len(transaction.data) - zeros) * per_byte
    if transaction.to is None:
        if fork >= Fork.HOMESTEAD:
            gas += CREATE_GAS
        if fork >= Fork.SHANGHAI:
            gas += INIT_CODE_WORD_GAS * ((len(transaction.data) + 31) // 32)
    for entry in transaction.access_list:
        gas += ACCESS_LIST_ADDRESS_GAS + ACCESS_LIST_KEY_GAS * len(entry.storage_keys)
    return gas + AUTHORIZATION_GAS * len(transaction.authorization_list)


def calldata_floor_gas(transaction: Transaction, fork: Fork) -> int:
    """Return the least gas a transaction pays for its input (EIP-7623); zero before Prague."""
    if fork >= Fork.AMSTERDAM:
        return amsterdam_gas.floor_gas(transaction)
    if fork < Fork.PRAGUE:
        return 0
    tokens = 4 * len(transaction.data) - 3 * transaction.data.count(0)
    return TX_GAS + FLOOR_GAS_PER_TOKEN * tokens


def validate_for_fork(
    transaction: Transaction,
    fork: Fork,
    *,
    chain_id: int | None = None,
    blobs: BlobParameters | None = None,
) -> None:
    """Raise `InvalidTransaction` when no block of `fork` may hold this transaction.

    `chain_id` is the chain's own; None leaves the transaction's unchecked. `blobs` are the block's blob
    parameters where they are not the fork's own.
    """
    if fork > NEWEST_FORK:
        raise UnsupportedFork(f"transaction rules of {fork.name} are not known; newest is {NEWEST_FORK.name}")
    if fork < TYPE_SINCE[transaction.type]:
        raise InvalidTransaction("type_not_supported", f"{fork.name} knows no type {transaction.type}")
    _check_signature(transaction, fork, chain_id)
    _check_gas(transaction, fork)
    _check_fees(transaction, fork)
    if transaction.type == BLOB:
        _check_blobs(transaction, fork, blobs or blob_parameters(fork))


def validate_for_some_fork(transaction: Transaction, *, chain_id: int | None = None) -> Fork:
    """Return the newest fork whose blocks may hold the transaction; raise with the newest's reason if none.

    For input without a block around it, such as a file of raw transactions of unknown age. Forks count that
    the transaction's network has scheduled; of a network that is not known, mainnet's.
    """
    newest_refusal: InvalidTransaction | None = None
    network = network_of(transaction.chain_id) if transaction.chain_id is not None else None
    scheduled = MAINNET if network is None or not network.public else network.schedule
    newest = max(fork for _, fork in scheduled.by_timestamp if fork <= NEWEST_FORK)
    for fork in reversed(Fork):
        if TYPE_SINCE[transaction.type] <= fork <= newest:
            try:
                validate_for_fork(transaction, fork, chain_id=chain_id)
            except InvalidTransaction as refusal:
                newest_refusal = newest_refusal or refusal
            else:
                return fork
    assert newest_refusal is not None, "every type has a fork"
    raise newest_refusal


def _check_signature(transaction: Transaction, fork: Fork, chain_id: int | None) -> None:
    if fork >= Fork.HOMESTEAD and transaction.s > SECP256K1_HALF_N:
        raise InvalidTransaction("high_s", "s is above half of the group order (EIP-2)")
    if transaction.chain_id is None:
        return
    if fork < Fork.SPURIOUS_DRAGON:
        raise InvalidTransaction("bad_v", f"{fork.name} knows no replay protection, v is {transaction.v}")
    if chain_id is not None and transaction.chain_id != chain_id:
        raise InvalidTransaction("wrong_chain_id", f"expected {chain_id}, found {transaction.chain_id}")


def _check_gas(transaction: Transaction, fork: Fork) -> None:
    needed = max(intrinsic_gas(transaction, fork), calldata_floor_gas(transaction, fork))
    if transaction.gas_limit < needed:
        raise InvalidTransaction(
            "intrinsic_gas_too_low", f"{fork.name} asks {needed} gas, the limit is {transaction.gas_limit}"
        )
    amsterdam = fork >= Fork.AMSTERDAM
    cap = MAX_GAS_LIMIT_AMSTERDAM if amsterdam else MAX_GAS_LIMIT
    if fork >= Fork.OSAKA and transaction.gas_limit > cap:
        raise InvalidTransaction(
            "gas_limit_too_high", f"{fork.name} allows {cap} gas, found {transaction.gas_limit}"
        )
    if amsterdam and needed > MAX_GAS_LIMIT:
        raise InvalidTransaction(
            "gas_limit_too_high", f"{needed} gas before it runs: more than the {MAX_GAS_LIMIT} it may take"
        )
    limit = MAX_INIT_CODE_BYTES_AMSTERDAM if amsterdam else MAX_INIT_CODE_BYTES
    if fork >= Fork.SHANGHAI and transaction.to is None and len(transaction.data) > limit:
        raise InvalidTransaction(
            "init_code_too_large", f"at most {limit} bytes, found {len(transaction.data)}"
        )


def _check_fees(transaction: Transaction, fork: Fork) -> None:
    tip, cap = transaction.max_priority_fee_per_gas_wei, transaction.fee_cap_wei
    if tip is not None and tip > cap:
        raise InvalidTransaction("priority_fee_above_max_fee", f"priority fee {tip}, max fee {cap}")
    if transaction.gas_limit * cap >= 2**256:
        raise InvalidTransaction("gas_cost_overflow", "gas limit times fee cap does not fit 256 bits")


def _check_blobs(transaction: Transaction, fork: Fork, blobs: BlobParameters) -> None:
    for versioned_hash in transaction.blob_versioned_hashes:
        if versioned_hash[0] != BLOB_HASH_VERSION:
            raise InvalidTransaction(
                "bad_blob_version", f"expected version {BLOB_HASH_VERSION}, found {versioned_hash[0]}"
            )
    limit = blobs.maximum
    if fork >= Fork.OSAKA:
        limit = min(limit, MAX_BLOBS_PER_TRANSACTION)
    if len(transaction.blob_versioned_hashes) > limit:
        raise InvalidTransaction(
            "too_many_blobs", f"{fork.name} allows {limit}, found {len(transaction.blob_versioned_hashes)}"
        )
