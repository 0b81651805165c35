"""What every frame does around its code, whichever interpreter runs the code.

Mixed in front of each fork's computation class. It also mends what py-evm 0.12.1b1 decides by "the sender
is the origin": since EIP-7702 an account with code can be the origin, so only depth 0 is the outermost
call.
"""

from typing import Any

from eth.constants import STACK_DEPTH_LIMIT
from eth.exceptions import VMError
from eth.vm.computation import BaseComputation

from mev_dagster.evm.py_evm.message import CallMessage

CALL_OPCODES = {
    0xF0: "CREATE",
    0xF1: "CALL",
    0xF2: "CALLCODE",
    0xF4: "DELEGATECALL",
    0xF5: "CREATE2",
    0xFA: "STATICCALL",
}


class Frame(BaseComputation):  # type: ignore[misc]
    """One message being executed."""

    contracts_created: list[bytes]
    child_kind: str

    @classmethod
    def apply_message(
        cls, state: Any, message: CallMessage, transaction_context: Any, parent_computation: Any = None
    ) -> Any:
        """Move the value, run the code, and take everything back when it fails."""
        assert message.depth <= STACK_DEPTH_LIMIT, "the call opcodes check the depth"
        snapshot = state.snapshot()
        if message.should_transfer_value and message.value:
            state.delta_balance(message.sender, -message.value)
            state.delta_balance(message.storage_address, message.value)
        state.touch_account(message.storage_address)
        computation = cls.apply_computation(state, message, transaction_context, parent_computation)
        if computation.is_error:
            state.revert(snapshot)
        return computation

    @classmethod
    def apply_computation(
        cls, state: Any, message: CallMessage, transaction_context: Any, parent_computation: Any = None
    ) -> Any:
        """Run the message's code, or the precompile it addresses, and return the finished computation."""
        computation = cls(state, message, transaction_context)
        computation.contracts_created = (
            [] if parent_computation is None else parent_computation.contracts_created
        )
        if message.is_create:
            computation.contracts_created.append(message.storage_address)
        precompile = computation._precompiles.get(message.code_address)
        try:
            if precompile is None:
                computation.run()
            elif not message.is_delegation:
                precompile(computation)
        except VMError as error:
            computation.fail(error)
        return computation

    def run(self) -> None:
        """Execute the code until it halts; EVM errors pass through."""
        raise NotImplementedError

    def fail(self, error: VMError) -> None:
        """End with an EVM error."""
        gas_left = self.get_gas_remaining()
        self._error = error
        if error.burns_gas:
            self.consume_gas(gas_left, "what the error burns")
        if error.erases_return_data:
            self.return_data = b""

    def prepare_child_message(
        self, gas: int, to: bytes, value: int, data: bytes, code: bytes, **fields: Any
    ) -> CallMessage:
        """Return the message that the running call opcode sends."""
        fields.setdefault("sender", self.msg.storage_address)
        return CallMessage(
            gas=gas,
            to=to,
            value=value,
            data=data,
            code=code,
            kind=self.child_kind,
            depth=self.msg.depth + 1,
            **fields,
        )
