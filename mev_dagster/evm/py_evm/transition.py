"""One transaction on one state: buy gas, run the message, refund, pay the coinbase, clear accounts.

This follows the state transition of the Yellow Paper (section 6) with the EIPs of each fork; py-evm runs the
message. The transaction has been judged valid before (`evm/validate.py`).
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

from eth.exceptions import ContractCreationCollision
from eth.vm.forks.spurious_dragon._utils import collect_touched_accounts

from mev_dagster.chain.envelope import BLOB
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.signing import create_address
from mev_dagster.chain.transactions import Authorization, Transaction
from mev_dagster.chain.validity import calldata_floor_gas, intrinsic_gas
from mev_dagster.evm.py_evm.limits import Budget
from mev_dagster.evm.py_evm.message import CREATE_TARGET, CallMessage
from mev_dagster.evm.py_evm.reference import Watcher
from mev_dagster.evm.py_evm.state import JournalState
from mev_dagster.evm.validate import blob_gas
from mev_dagster.hexadecimal import to_hex

_SELFDESTRUCT_REFUND = 24_000
_DELEGATION_PREFIX = b"\xef\x01\x00"
_EXISTING_AUTHORITY_REFUND = 12_500
_MAX_NONCE = (1 << 64) - 1


class TransactionContext:
    """What opcodes may ask about the transaction they run in."""

    __slots__ = ("_log_numbers", "blob_versioned_hashes", "budget", "gas_price", "origin", "watcher")

    def __init__(
        self,
        gas_price: int,
        origin: bytes,
        budget: Budget,
        *,
        blob_versioned_hashes: tuple[bytes, ...] = (),
        watcher: Watcher | None = None,
    ) -> None:
        self.gas_price = gas_price
        self.origin = origin
        self.blob_versioned_hashes = blob_versioned_hashes
        self.budget = budget
        self.watcher = watcher
        self._log_numbers = count()

    def get_next_log_counter(self) -> int:
        """Number logs across nested calls."""
        return next(self._log_numbers)


@dataclass(frozen=True, slots=True)
class ComputationOutcome:
    """The outermost computation and what its transaction paid for."""

    computation: Any
    gas_used: int
    created: bytes | None


def apply_transaction(
    state: JournalState, tx: Transaction, budget: Budget, *, watcher: Watcher | None = None
) -> ComputationOutcome:
    """Execute a valid transaction and leave its changes in the state.

    A watcher is shown every instruction; only the reference interpreter has single ones to show.
    """
    env = state.env
    base_fee = env.base_fee_per_gas_wei or 0
    gas_price = tx.effective_gas_price_wei(base_fee)
    context = TransactionContext(
        gas_price, tx.sender, budget, blob_versioned_hashes=tx.blob_versioned_hashes, watcher=watcher
    )

    blob_fee = blob_gas(tx) * state.blob_base_fee if tx.type == BLOB else 0
    state.delta_balance(tx.sender, -tx.gas_limit * gas_price - blob_fee)
    state.increment_nonce(tx.sender)
    refund = _apply_authorizations(state, tx.authorization_list)
    message = _message_of(state, tx, tx.gas_limit - intrinsic_gas(tx, env.fork), refund)
    if env.fork >= Fork.BERLIN:
        _warm_up(state, tx, message.storage_address)
    computation = _run(state, message, context)

    gas_left = computation.get_gas_remaining()
    gas_used = tx.gas_limit - gas_left
    deleted = sorted(computation.get_accounts_for_deletion())
    refunded = computation.get_gas_refund()
    if env.fork >= Fork.LONDON:  # EIP-3529
        gas_used -= min(refunded, gas_used // 5)
    else:
        gas_used -= min(refunded + _SELFDESTRUCT_REFUND * len(deleted), gas_used // 2)
    gas_used = max(gas_used, calldata_floor_gas(tx, env.fork))

    state.delta_balance(tx.sender, (tx.gas_limit - gas_used) * gas_price)
    state.delta_balance(env.coinbase, gas_used * (gas_price - base_fee))
    for address in deleted:
        state.delete_account(address)
    if env.fork >= Fork.SPURIOUS_DRAGON:
        _clear_empty(state, computation)
    created = message.storage_address if tx.to is None and computation.is_success else None
    return ComputationOutcome(computation, gas_used, created)


def _message_of(state: JournalState, tx: Transaction, gas: int, refund: int) -> CallMessage:
    if tx.to is None:
        return CallMessage(
            gas=gas,
            to=CREATE_TARGET,
            kind="CREATE",
            sender=tx.sender,
            value=tx.value_wei,
            data=b"",
            code=tx.data,
            create_address=create_address(tx.sender, tx.nonce),
            refund=refund,
        )
    code, delegated_to = state.get_code(tx.to), None
    if state.env.fork >= Fork.PRAGUE and code.startswith(_DELEGATION_PREFIX):
        delegated_to = code[len(_DELEGATION_PREFIX) :]
        state.mark_address_warm(delegated_to)
        code = state.get_code(delegated_to)
    return CallMessage(
        gas=gas,
        to=tx.to,
        kind="CALL",
        sender=tx.sender,
        value=tx.value_wei,
        data=tx.data,
        code=code,
        code_address=delegated_to,
        refund=refund,
        is_delegation=delegated_to is not None,
    )


def _warm_up(state: JournalState, tx: Transaction, target: bytes) -> None:
    """Fill the access sets a transaction starts with (EIP-2929, 2930, 3651)."""
    state.mark_address_warm(tx.sender)
    state.mark_address_warm(target)
    if state.env.fork >= Fork.SHANGHAI:
        state.mark_address_warm(state.env.coinbase)
    for entry in tx.access_list:
        state.mark_address_warm(entry.address)
        for key in entry.storage_keys:
            state.mark_storage_warm(entry.address, int.from_bytes(key, "big"))


def _run(state: JournalState, message: CallMessage, context: TransactionContext) -> Any:
    if not message.is_create:
        return state.computation_class.apply_message(state, message, context)
    if state.has_code_or_nonce(message.storage_address):
        computation = state.get_computation(message, context)
        computation.error = ContractCreationCollision(f"{to_hex(message.storage_address)} is taken")
        return computation
    return state.computation_class.apply_create_message(state, message, context)


def _apply_authorizations(state: JournalState, authorizations: tuple[Authorization, ...]) -> int:
    """Delegate accounts as their owners signed (EIP-7702) and return the gas to refund."""
    refund = 0
    for signed in authorizations:
        authority = signed.authority
        if signed.chain_id not in {0, state.env.chain_id} or signed.nonce >= _MAX_NONCE or authority is None:
            continue
        state.mark_address_warm(authority)
        code = state.get_code(authority)
        if code and not code.startswith(_DELEGATION_PREFIX):
            continue
        if state.get_nonce(authority) != signed.nonce:
            continue
        if state.account_exists(authority):
            refund += _EXISTING_AUTHORITY_REFUND
        delegated = any(signed.address)
        state.set_code(authority, _DELEGATION_PREFIX + signed.address if delegated else b"")
        state.increment_nonce(authority)
    return refund


def _clear_empty(state: JournalState, computation: Any) -> None:
    """Delete every empty account that was touched (EIP-161)."""
    for address in sorted(collect_touched_accounts(computation)):
        if state.account_exists(address) and state.account_is_empty(address):
            state.delete_account(address)
