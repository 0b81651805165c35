"""A block being built in the extension: what it lacks is asked of the source of the state.

Transactions go over as packed records. Which of them is valid is `evm/validate.py`'s to say: the extension
stops where its own checks fail.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from eth.vm.forks.homestead.headers import dao_drain_list, dao_refund_contract

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.fees import blob_base_fee
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.requests import (
    BEACON_ROOTS,
    HISTORY,
    answer_of,
    contracts_asked,
    deposit_requests,
    typed_requests,
)
from mev_dagster.chain.transactions import Transaction
from mev_dagster.chain.validity import validate_for_fork
from mev_dagster.errors import InputError, InvalidTransaction, MissingState
from mev_dagster.evm.native import native
from mev_dagster.evm.revm.told import About, ToldChanges, told_results
from mev_dagster.evm.revm.wire import pack_accounts, pack_transaction, word
from mev_dagster.evm.types import (
    NO_LIMITS,
    RESULTS_ONLY,
    BlockEnv,
    ExecutionLimits,
    SimResult,
    StateSource,
    TxResult,
    Want,
    gas_used_by,
    invalid_result,
)
from mev_dagster.evm.validate import Invalid, Rejection, Room, Sender, validate_tx, whole_block
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.units import GWEI

# revm's names. It has left out Constantinople, which no public network ran: EIP-1283 without Petersburg.
SPECS = {
    Fork.FRONTIER: "Frontier",
    Fork.HOMESTEAD: "Homestead",
    Fork.DAO: "Homestead",
    Fork.TANGERINE_WHISTLE: "Tangerine",
    Fork.SPURIOUS_DRAGON: "Spurious",
    Fork.BYZANTIUM: "Byzantium",
    Fork.PETERSBURG: "Petersburg",
    Fork.ISTANBUL: "Istanbul",
    Fork.MUIR_GLACIER: "Istanbul",
    Fork.BERLIN: "Berlin",
    Fork.LONDON: "London",
    Fork.ARROW_GLACIER: "London",
    Fork.GRAY_GLACIER: "London",
    Fork.PARIS: "Merge",
    Fork.SHANGHAI: "Shanghai",
    Fork.CANCUN: "Cancun",
    Fork.PRAGUE: "Prague",
    Fork.OSAKA: "Osaka",
    Fork.BPO1: "Osaka",
    Fork.BPO2: "Osaka",
    Fork.AMSTERDAM: "Amsterdam",
}
_LARGEST_64 = (1 << 64) - 1
_LARGEST_128 = (1 << 128) - 1
_NO_CONTRACT = "there is no contract"

# Why the extension stopped: `("refused",)`, `("fee_too_large",)`, a limit, or what is missing and its keys.
Stop = tuple[Any, ...]


class RevmSession:
    """A block being built: committed transactions so far, and trials on top of them."""

    def __init__(
        self,
        engine: str,
        world: Any,
        source: StateSource,
        env: BlockEnv,
        limits: ExecutionLimits = NO_LIMITS,
        want: Want = RESULTS_ONLY,
        *,
        packed: dict[bytes, Any] | None = None,
    ) -> None:
        self._engine = engine
        self._source = source
        self._env = env
        self._about = About(env.fork, env.coinbase)
        self._limits = limits
        self._want = want
        # In front of what sessions share: candidates ask again and again.
        self._packed: dict[bytes, Any] = {}
        self._shared: dict[bytes, Any] = {} if packed is None else packed
        base_fee = env.base_fee_per_gas_wei or 0
        has_blobs = env.fork >= Fork.CANCUN
        blob_fee = blob_base_fee(env.excess_blob_gas or 0, env.blob_parameters) if has_blobs else 0
        if max(base_fee, env.gas_limit) > _LARGEST_64 or blob_fee > _LARGEST_128:
            raise InputError(f"block {env.number}: its gas limit or base fees are past what revm can hold")
        self._native = native().Session(
            world,
            spec=SPECS[env.fork],
            chain_id=env.chain_id,
            number=env.number,
            timestamp=env.timestamp,
            coinbase=env.coinbase,
            gas_limit=env.gas_limit,
            blob_gas_limit=whole_block(env).blob_gas,
            base_fee=base_fee,
            difficulty=word(env.difficulty),
            prev_randao=env.prev_randao,
            parent_hash=env.parent_hash,
            blob_base_fee=blob_fee,
            slot_number=env.slot_number or 0,
            max_steps=limits.steps,
            max_seconds=limits.seconds,
            calls=want.calls,
            analytics=want.analytics,
        )

    def commit(self, txs: Sequence[Transaction]) -> tuple[TxResult, ...]:
        """Execute transactions and keep their changes."""
        packed = [self._pack(tx) for tx in txs]
        results: list[TxResult] = []
        while len(results) < len(txs):
            begin = len(results)
            reports, stop = self._native.execute(packed[begin:] if begin else packed)
            results += told_results(txs[begin:] if begin else txs, reports, self._about)
            if stop is not None:
                rejection = self._resolve(txs[len(results)], stop)
                if rejection is not None:
                    tx = txs[len(results)]
                    results.append(invalid_result(tx.hash, rejection.code, rejection.detail))
        return tuple(results)

    def run(self, txs: Sequence[Transaction]) -> SimResult:
        """Execute transactions on top of what is committed, report, and take every change back.

        The state diff is against the committed state.
        """
        return self._tried(txs, self._native.run([self._pack(tx) for tx in txs]))

    def run_many(self, candidates: Sequence[Sequence[Transaction]], *, threads: int = 1) -> list[SimResult]:
        """Return what `run` gives for each candidate, on some threads at once."""
        packed = [[self._pack(tx) for tx in txs] for txs in candidates]
        trials = self._native.run_many(packed, threads)
        return [self._tried(txs, trial) for txs, trial in zip(candidates, trials, strict=True)]

    def _tried(self, txs: Sequence[Transaction], trial: tuple[Any, ...]) -> SimResult:
        """Return the result of a trial; one stopped by what only Python can say or supply is run again."""
        reports, stop, changes = trial
        if stop is None:
            return self._result(tuple(told_results(txs, reports, self._about)), changes)
        self._native.begin_trial()
        try:
            return self.result(self.commit(txs))
        finally:
            self._native.end_trial()

    def try_out(self, txs: Sequence[Transaction]) -> tuple[TxResult, ...]:
        """Return the results that `run` gives, without working out the state diff."""
        self._native.begin_trial()
        try:
            return self.commit(txs)
        finally:
            self._native.end_trial()

    def run_each(self, txs: Sequence[Transaction]) -> tuple[SimResult, ...]:
        """Return what `run` gives of every beginning of `txs`, executing each transaction once."""
        results: list[TxResult] = []
        found: list[SimResult] = []
        self._native.begin_trial()
        try:
            for tx in txs:
                results += self.commit((tx,))
                found.append(self.result(tuple(results)))
            return tuple(found)
        finally:
            self._native.end_trial()

    def steps(self, tx: Transaction, kept: int) -> bytes:
        """Return the first instructions of a transaction, packed (`evm/trace.py`), and keep no change."""
        while True:
            packed, stop = self._native.steps(self._pack(tx), kept)
            if stop is None or self._resolve(tx, stop) is not None:
                return bytes(packed)

    def begin_block(self) -> None:
        """Store the parent's hash and beacon root (EIP-2935, 4788), and move the DAO's funds at its block."""
        env = self._env
        if env.fork >= Fork.CANCUN and env.parent_beacon_block_root is not None:
            self._system_call(BEACON_ROOTS, env.parent_beacon_block_root)
        if env.fork >= Fork.PRAGUE and env.number > 0:
            self._system_call(HISTORY, env.parent_hash)
        if env.fork == Fork.DAO and env.first_of_fork:
            for text in dao_drain_list:
                address = from_hex(text)
                self._supplied(partial(self._native.drain, address, bytes(dao_refund_contract)))

    def credit(self, withdrawals: Sequence[Withdrawal], rewards: Mapping[bytes, int]) -> None:
        """Pay validators' withdrawals (EIP-4895) or miners' rewards. The transactions are over."""
        self._native.end_transactions()
        listed = self._env.fork >= Fork.AMSTERDAM  # the access list names who is paid nothing, too
        paid = [(w.address, w.amount_gwei * GWEI) for w in withdrawals if w.amount_gwei or listed]
        for address, amount in [*paid, *rewards.items()]:
            self._supplied(partial(self._native.credit, address, word(amount)))

    def end_block(self) -> tuple[bytes, ...]:
        """Return the block's requests, type byte first, and dequeue them in the state (EIP-7685)."""
        env = self._env
        if env.fork < Fork.PRAGUE:
            return ()
        logs = (Log(*log) for log in self._native.logs_from(env.deposit_contract))
        bodies = [(0, deposit_requests(logs, env.deposit_contract))]
        for kind, address in contracts_asked(env.fork):
            output, error = self._system_call(address)
            if error != _NO_CONTRACT or not env.may_lack_request_contracts:
                bodies.append((kind, answer_of(address, output, error)))
        return typed_requests(bodies)

    def access_list(self) -> bytes | None:
        """Return the block access list of what is committed, encoded (EIP-7928); None before Amsterdam."""
        return self._native.access_list()  # type: ignore[no-any-return]

    def result(self, txs: tuple[TxResult, ...], *, requests: tuple[bytes, ...] = ()) -> SimResult:
        """Return the outcome of these transactions with the state diff of the trial, or of the session."""
        return self._result(txs, self._native.diff(), requests=requests)

    def _result(
        self, txs: tuple[TxResult, ...], changes: Any, *, requests: tuple[bytes, ...] = ()
    ) -> SimResult:
        return SimResult(
            engine=self._engine,
            fork=self._env.fork,
            txs=txs,
            gas_used=gas_used_by(txs) if self._env.fork >= Fork.AMSTERDAM else sum(tx.gas_used for tx in txs),
            state_diff=ToldChanges(changes),
            state_diff_hash=changes.digest,
            requests=requests,
        )

    def receipts_root(self) -> bytes | None:
        """Return the root of the receipts of what is committed; before Byzantium they held a state's root."""
        return self._native.receipts_root() if self._env.fork >= Fork.BYZANTIUM else None

    @property
    def seconds_executing(self) -> float:
        """How long transactions were executed, without packing them and telling of them."""
        return float(self._native.seconds_executing())

    def _pack(self, tx: Transaction) -> Any:
        """Return a transaction as the extension holds it; candidates of one block share most of theirs."""
        packed = self._packed.get(tx.hash)
        if packed is None:
            packed = self._shared.get(tx.hash)
            if packed is None:
                packed = self._shared[tx.hash] = self._record_of(tx)
            self._packed[tx.hash] = packed
        return packed

    def _record_of(self, tx: Transaction) -> Any:
        try:
            validate_for_fork(tx, self._env.fork, chain_id=self._env.chain_id, blobs=self._env.blobs)
            refused = False
        except InvalidTransaction:
            refused = True  # its reason is told by `validate_tx`, once its sender is known to exist
        return native().Tx(pack_transaction(tx, refused=refused))

    def _resolve(self, tx: Transaction, stop: Stop) -> Rejection | None:
        """Return why the transaction cannot be executed, or learn what it needs and return None."""
        if stop[0] == "refused":
            rejection = validate_tx(
                tx, self._env, Sender(*self._native.sender(tx.sender)), Room(*self._native.room())
            )
            assert rejection is not None, f"{to_hex(tx.hash)} is valid, and the extension refused it"
            return rejection
        if stop[0] == "fee_too_large":
            return Rejection("gas_cost_overflow", "a fee of 128 bits or more is past what revm can hold")
        if stop[0] in {Invalid.STEP_LIMIT, Invalid.TIME_LIMIT}:
            return Rejection(stop[0], f"stopped by {self._limits}")
        try:
            self._learn(*stop)
        except MissingState as missing:
            return Rejection(Invalid.MISSING_STATE, f"{missing.what} {missing.key}")
        return None

    def _system_call(self, target: bytes, data: bytes = b"") -> tuple[bytes | None, str]:
        """Call a system contract: its output, or None and why there is none."""
        while True:
            output, stop = self._native.system_call(target, data)
            if stop is None:
                return output, ""
            if stop[0] == "failed":
                return None, stop[1]
            if stop[0] == "no_code":
                return None, _NO_CONTRACT
            self._learn(*stop)

    def _supplied(self, attempt: Callable[[], Stop | None]) -> None:
        """Repeat something that changes nothing until it has all it needs."""
        while (stop := attempt()) is not None:
            self._learn(*stop)

    def _learn(self, what: str, *key: Any) -> None:
        """Ask the source of the state for one thing, or raise what it raises."""
        source, native = self._source, self._native
        if what == "account":
            native.learn_accounts(pack_accounts([(key[0], source.account(key[0]))]))
        elif what == "storage":
            native.learn_slot(key[0], word(key[1]), word(source.storage(*key)))
        elif what == "code":
            native.learn_code(key[0], source.code(key[0]))
        else:
            native.learn_block_hash(key[0], source.block_hash(key[0]))
