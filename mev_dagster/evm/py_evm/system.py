"""What a block does to the state outside of its transactions."""

from collections.abc import Iterable, Mapping, Sequence

from eth.vm.forks.homestead.headers import dao_drain_list, dao_refund_contract

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.requests import (
    BEACON_ROOTS,
    HISTORY,
    SYSTEM_ADDRESS,
    answer_of,
    contracts_asked,
    deposit_requests,
    typed_requests,
)
from mev_dagster.evm.py_evm.limits import Budget
from mev_dagster.evm.py_evm.message import CallMessage
from mev_dagster.evm.py_evm.state import JournalState
from mev_dagster.evm.py_evm.transition import TransactionContext
from mev_dagster.evm.types import ExecutionLimits, TxResult
from mev_dagster.hexadecimal import from_hex
from mev_dagster.units import GWEI

_SYSTEM_GAS = 30_000_000


def begin_block(state: JournalState) -> None:
    """Store the parent's hash and beacon root (EIP-2935, 4788), and move the DAO's funds at its block.

    Whether these calls succeed does not matter to the block.
    """
    env = state.env
    if env.fork >= Fork.CANCUN and env.parent_beacon_block_root is not None:
        _system_call(state, BEACON_ROOTS, env.parent_beacon_block_root)
    if env.fork >= Fork.PRAGUE and env.number > 0:
        _system_call(state, HISTORY, env.parent_hash)
    if env.fork == Fork.DAO and env.first_of_fork:
        _move_dao_funds(state)


def _move_dao_funds(state: JournalState) -> None:
    for text in dao_drain_list:
        address = from_hex(text)
        state.delta_balance(bytes(dao_refund_contract), state.get_balance(address))
        state.set_balance(address, 0)


def credit(state: JournalState, withdrawals: Sequence[Withdrawal], rewards: Mapping[bytes, int]) -> None:
    """Pay validators' withdrawals (EIP-4895) or miners' rewards."""
    for withdrawal in withdrawals:
        if withdrawal.amount_gwei:
            state.delta_balance(withdrawal.address, withdrawal.amount_gwei * GWEI)
    for address, amount in rewards.items():
        state.delta_balance(address, amount)


def end_block_requests(state: JournalState, results: Iterable[TxResult]) -> tuple[bytes, ...]:
    """Return the block's requests, type byte first, and dequeue them in the state (EIP-7685)."""
    env = state.env
    if env.fork < Fork.PRAGUE:
        return ()
    logs = (log for result in results for log in result.logs)
    bodies = [(0, deposit_requests(logs, env.deposit_contract))]
    for kind, address in contracts_asked(env.fork):
        if env.may_lack_request_contracts and not state.get_code(address):
            continue
        bodies.append((kind, answer_of(address, *_system_call(state, address))))
    return typed_requests(bodies)


def _system_call(state: JournalState, target: bytes, data: bytes = b"") -> tuple[bytes | None, str]:
    """Call a system contract as the protocol does: its output, or None and why there is none."""
    state.journal.begin_transaction()
    code = state.get_code(target)
    if not code:
        return None, "there is no contract"
    message = CallMessage(
        kind="CALL",
        gas=_SYSTEM_GAS,
        to=target,
        sender=SYSTEM_ADDRESS,
        value=0,
        data=data,
        code=code,
        should_transfer_value=False,
    )
    context = TransactionContext(0, SYSTEM_ADDRESS, Budget(ExecutionLimits()))
    computation = state.computation_class.apply_message(state, message, context)
    if computation.is_error:
        return None, type(computation.error).__name__
    return bytes(computation.output), ""
