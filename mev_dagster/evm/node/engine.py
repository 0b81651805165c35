"""Simulation on a live node: `eth_simulateV1` at a pinned block, or on a captured state as overrides.

Our own `validate_tx` judges every transaction first, because nodes do not check everything. What a
transaction changes comes from the prestate tracer's diff and goes into the same journal as the reference
engine's changes, so that diffs, balance changes and digests are computed once, by the same code. What a
node is known to get wrong goes to the reference engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.jsonrpc import log_from_rpc, quantity
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.signing import create_address
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import DecodeError, InputError, MissingState, NodeAnswerError, UnsupportedFork
from mev_dagster.evm.node.calls import HALTED, call_frames
from mev_dagster.evm.node.forks import is_anvil, schedule_of
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.py_evm.reference import Watcher
from mev_dagster.evm.py_evm.session import How, PyEvmSession
from mev_dagster.evm.revert import revert_reason
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.evm.types import RESULTS_ONLY, BlockEnv, Output, StateSource, TxResult, TxStatus, Want
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.http import JsonRpc, call_object

# eth_simulateV1 of anvil 1.7.1 has no creations, and it refunds authorizations of accounts that do not
# exist; its blob base fee follows its own block.
_ANVIL_ONLY_TYPES = {0, 1, 2}
_BLOCKHASH, _BLOBBASEFEE = 0x40, 0x4A
_PUSH1, _PUSH32 = 0x60, 0x7F
_CODE_OF_A_REVERT = 3


class NodeEngine(PyEvmEngine):
    """The node's own EVM. The node must run the block's fork on the block's chain.

    A captured state travels with every request; anvil takes large ones with `--no-request-size-limit`.
    """

    name = "node"
    lacks = frozenset(
        {
            Output.ANALYTICS,
            Output.HALT_REASON,
            Output.READS_OF_FAILED_CALLS,
            Output.GAS_BEFORE_REFUNDS,
        }
    )

    def __init__(self, rpc: JsonRpc, *, want: Want = RESULTS_ONLY) -> None:
        super().__init__(want=replace(want, analytics=False))
        self._rpc = rpc
        self._is_anvil = is_anvil(rpc)
        self._schedule = schedule_of(rpc)

    def _open(self, state: StateSource, env: BlockEnv) -> PyEvmSession:
        if env.chain_id != self._schedule.chain_id:
            raise InputError(
                f"{self._rpc.shown_url} runs chain {self._schedule.chain_id}, "
                f"the block is of chain {env.chain_id}"
            )
        runs = self._schedule.fork_at(env.number, env.timestamp)
        if runs != env.fork:
            raise UnsupportedFork(
                f"{self._rpc.shown_url} executes this block as {runs.name}, not {env.fork.name}"
            )
        # A node knows the ancestors of its own blocks only.
        not_theirs = {_BLOCKHASH} if isinstance(state, Prestate) else set()
        if self._is_anvil:
            not_theirs.add(_BLOBBASEFEE)
        return NodeSession(
            self._rpc,
            state,
            env,
            self._how,
            reference_only=self._is_reference_only,
            not_theirs=frozenset(not_theirs),
        )

    def _is_reference_only(self, tx: Transaction) -> bool:
        return self._is_anvil and (tx.to is None or tx.type not in _ANVIL_ONLY_TYPES)


class NodeSession(PyEvmSession):
    """A block being built on a node; the changes so far travel with every request."""

    def __init__(
        self,
        rpc: JsonRpc,
        source: StateSource,
        env: BlockEnv,
        how: How,
        *,
        reference_only: Callable[[Transaction], bool],
        not_theirs: frozenset[int],
    ) -> None:
        super().__init__(NodeEngine.name, source, env, how)
        self._rpc = rpc
        self._reference_only = reference_only
        self._not_theirs = not_theirs
        self._base = _overrides_of(source) if isinstance(source, Prestate) else {}
        self._block = quantity(source.number) if isinstance(source, RpcState) else "latest"
        if not isinstance(source, Prestate | RpcState):
            raise InputError("the node engine takes a captured prestate or a node's own state")

    def _perform(self, tx: Transaction, mark: int, watcher: Watcher | None) -> TxResult:
        if self._reference_only(tx):
            return super()._perform(tx, mark, watcher)
        call = call_object(tx)
        overrides = {"stateOverrides": self._overrides(), "blockOverrides": _block_overrides(self.state)}
        payload = {"blockStateCalls": [{**overrides, "calls": [call]}], "validation": True}
        tracer = {"tracer": "prestateTracer", **overrides}
        requests: list[tuple[str, list[Any]]] = [
            ("eth_simulateV1", [payload, self._block]),
            ("debug_traceCall", [call, self._block, {**tracer, "tracerConfig": {"diffMode": True}}]),
            ("debug_traceCall", [call, self._block, tracer]),
        ]
        if self._how.want.calls:
            requests.append(("debug_traceCall", [call, self._block, {**tracer, "tracer": "callTracer"}]))
        simulated, changed, read, *traced = self._rpc.batch(requests)
        try:
            codes = self._note_reads(_object(read, "prestateTracer"))
            if any(has_instruction(code, self._not_theirs) for code in codes):
                self.state.journal.begin_transaction()
                return super()._perform(tx, mark, watcher)
            self._apply(_object(changed, "prestateTracer diff"))
            result = self._result_of(tx, mark, simulated)
            fork = self.state.env.fork
            calls = [call_frames(_object(found, "callTracer"), tx, fork, result) for found in traced]
            return replace(result, calls=calls[0]) if calls else result
        except (KeyError, TypeError, ValueError, IndexError, DecodeError) as error:
            raise NodeAnswerError(f"{self._rpc.shown_url}: {type(error).__name__}: {error}") from error

    def _overrides(self) -> dict[str, Any]:
        """Return the captured state, if that is what runs, with the changes of this block over it."""
        merged = {address: {**fields} for address, fields in self._base.items()}
        for address, diff in self.state.journal.state_diff().items():
            fields = merged.setdefault(to_hex(address), {})
            whole = "state" in fields or diff.deleted or diff.storage_cleared
            if diff.deleted:
                fields.update(balance="0x0", nonce="0x0", code="0x", state={})
                continue
            if diff.balance_wei is not None:
                fields["balance"] = quantity(diff.balance_wei)
            if diff.nonce is not None:
                fields["nonce"] = quantity(diff.nonce)
            if diff.code is not None:
                fields["code"] = to_hex(diff.code)
            slots = {} if diff.storage_cleared else dict(fields.get("state", {}))
            slots.update({_word(slot): _word(value) for slot, value in diff.storage.items()})
            if slots or whole:
                fields["state" if whole else "stateDiff"] = slots
        return merged

    def _note_reads(self, read: Mapping[str, Any]) -> list[bytes]:
        """Load what the node read from our own source, which raises where it lacks it; give the codes."""
        accounts = {
            from_hex(text): {int(slot, 16) for slot in fields.get("storage") or {}}
            for text, fields in read.items()
        }
        if isinstance(self.state.source, RpcState):
            self.state.source.prefetch_unknown(accounts)
        for address, slots in accounts.items():
            for slot in slots:
                self.state.get_storage(address, slot)
        return [self.state.get_code(address) for address in accounts]

    def _apply(self, changed: Mapping[str, Any]) -> None:
        """Write the tracer's diff into the journal."""
        before, after = _object(changed["pre"], "pre"), _object(changed["post"], "post")
        state = self.state
        for text in sorted(before.keys() | after.keys()):
            address = from_hex(text)
            if text not in after:
                state.delete_account(address)
                continue
            fields = after[text]
            if "balance" in fields:
                state.set_balance(address, int(fields["balance"], 16))
            if "nonce" in fields:
                state.set_nonce(address, int(fields["nonce"]))
            if "code" in fields:
                state.set_code(address, from_hex(fields["code"]))
            slots = dict.fromkeys(before.get(text, {}).get("storage") or {}, "0x0")  # gone unless in `post`
            slots.update(fields.get("storage") or {})
            for slot, value in slots.items():
                state.set_storage(address, int(slot, 16), int(value, 16))
            if state.env.fork >= Fork.SPURIOUS_DRAGON and state.account_is_empty(address):
                state.delete_account(address)

    def _result_of(self, tx: Transaction, mark: int, simulated: Any) -> TxResult:
        answer = simulated[0]["calls"][0]
        gas_used = int(answer["gasUsed"], 16)
        # geth puts what a revert returned into its error, and nothing into `returnData`.
        error = answer.get("error") or {}
        output = from_hex(error.get("data") or answer["returnData"])
        status, detail = TxStatus.SUCCESS, ""
        if int(answer["status"], 16) == 0:
            # Nodes word their errors as they like. Only a halt burns all gas and returns nothing.
            reverted = bool(output) or gas_used < tx.gas_limit or error.get("code") == _CODE_OF_A_REVERT
            status = TxStatus.REVERTED if reverted else TxStatus.HALTED
            detail = revert_reason(output) if reverted else HALTED
        created = tx.to is None and status is TxStatus.SUCCESS
        journal = self.state.journal
        balance_changes = journal.balance_changes(mark)
        return TxResult(
            tx_hash=tx.hash,
            status=status,
            gas_used=gas_used,
            output=output,
            logs=_logs_of(answer) if status is TxStatus.SUCCESS else (),
            detail=detail,
            coinbase_payment_wei=balance_changes.get(self.state.env.coinbase, 0),
            balance_changes_wei=balance_changes,
            accounts_read=tuple(sorted(journal.accounts_touched)),
            slots_read=tuple(sorted(journal.slots_touched)),
            slots_written=journal.slots_written(mark),
            contract_address=create_address(tx.sender, tx.nonce) if created else None,
        )


@lru_cache(maxsize=4_096)
def has_instruction(code: bytes, opcodes: frozenset[int]) -> bool:
    """Say whether code has one of these instructions, be it ever reached or not."""
    position = 0
    while position < len(code):
        opcode = code[position]
        if opcode in opcodes:
            return True
        position += opcode - _PUSH1 + 2 if _PUSH1 <= opcode <= _PUSH32 else 1
    return False


def _logs_of(answer: Mapping[str, Any]) -> tuple[Log, ...]:
    return tuple(log_from_rpc(log) for log in answer["logs"])


def _block_overrides(state: Any) -> dict[str, Any]:
    env: BlockEnv = state.env
    overrides = {
        "number": quantity(env.number),
        "time": quantity(env.timestamp),
        "gasLimit": quantity(env.gas_limit),
        "feeRecipient": to_hex(env.coinbase),
        "prevRandao": to_hex(env.prev_randao),
    }
    if env.base_fee_per_gas_wei is not None:
        overrides["baseFeePerGas"] = quantity(env.base_fee_per_gas_wei)
    if env.fork >= Fork.CANCUN:
        overrides["blobBaseFee"] = quantity(state.blob_base_fee)
    return overrides


def _overrides_of(prestate: Prestate) -> dict[str, dict[str, Any]]:
    return {
        to_hex(address): {
            "balance": quantity(account.balance_wei),
            "nonce": quantity(account.nonce),
            "code": to_hex(_code_of(prestate, account.code_hash)),
            "state": {_word(slot): _word(value) for slot, value in account.storage.items()},
        }
        for address, account in sorted(prestate.accounts.items())
        if account.exists
    }


def _code_of(prestate: Prestate, code_hash: bytes) -> bytes:
    """Return the code, or one that cannot run where the prestate lacks it: reading it raises later."""
    try:
        return prestate.code(code_hash)
    except MissingState:
        return b"\xfe"


def _word(value: int) -> str:
    return f"{value:#066x}"


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NodeAnswerError(f"{what}: expected an object, got {value!r:.80}")
    return value
