"""A sampled share of all results, and every winner, run again on the reference engine.

Which results are sampled is a function of their input alone, so replay samples the same. A mismatch is
counted, and its whole input is written to a file from which it can be run again.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from mev_dagster.chain.forks import BlobParameters, Fork
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.errors import InputError
from mev_dagster.evm.diff import diff_to_json
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv, SimResult, SimulationEngine, TxResult
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.telemetry.catalogue import RunMetrics

_SAMPLE_SPACE = 1 << 64
_BYTES_OF_ENV = {
    *("coinbase", "prev_randao", "parent_hash", "parent_beacon_block_root"),
    "deposit_contract",
}
_LEFT_OUT = {"blobs", "slot_number", "deposit_contract", "may_lack_request_contracts"}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What a fast engine and the reference disagree about, and where the input was kept."""

    input_id: bytes
    engine: str
    differences: tuple[str, ...]
    artifact: Path | None


@dataclass(frozen=True, slots=True)
class SimInput:
    """Everything a simulation depends on."""

    prestate: Prestate
    env: BlockEnv
    txs: tuple[Transaction, ...]
    begin_block: bool = True

    @property
    def identity(self) -> bytes:
        """The SHA-256 of all of it, and so the name of the input."""
        document = {
            "begin_block": self.begin_block,
            "env": _env_to_json(self.env),
            "prestate": self.prestate.digest().hex(),
            "txs": [tx.hash.hex() for tx in self.txs],
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).digest()

    def self_contained(self) -> "SimInput":
        """Return the input with what was read from a node behind the prestate listed in it."""
        return replace(self, prestate=self.prestate.self_contained())


class Recheck:
    """Judges results of other engines by the reference.

    `share` of all results is checked; `always` adds one whatever its id, as for a winner.
    """

    def __init__(
        self,
        share: float,
        *,
        folder: Path | None = None,
        registry: CollectorRegistry | None = None,
        reference: SimulationEngine | None = None,
    ) -> None:
        if not 0 <= share <= 1:
            raise InputError(f"the share of results to check lies between 0 and 1, got {share}")
        self.reference = reference or get_engine()
        self._below = int(share * _SAMPLE_SPACE)
        self._folder = folder
        self._metrics = RunMetrics.on(registry or CollectorRegistry())

    def selects(self, identity: bytes) -> bool:
        """Say whether the result with this input id belongs to the sample."""
        return int.from_bytes(identity[:8], "big") < self._below

    def skips(self, engine: str, env: BlockEnv) -> str:
        """Say why nothing of this engine in this block is run again; empty where it can be."""
        if engine == self.reference.name:
            return f"{engine} is the reference itself"
        return self._cannot(engine, env)

    def _cannot(self, engine: str, env: BlockEnv) -> str:
        if self.reference.supports(env.fork):
            return ""
        self._metrics.unchecked.labels(engine, env.fork.name).inc()
        return f"{self.reference.name} does not execute {env.fork.name}: nothing here can run it again"

    def check(self, given: SimInput, claimed: SimResult, *, always: bool = False) -> Mismatch | None:
        """Run again if selected; return what differs, or None."""
        if self._cannot(claimed.engine, given.env) or not (always or self.selects(given.identity)):
            return None
        truth = self.reference.simulate(given.prestate, given.env, given.txs, begin_block=given.begin_block)
        return self.judge(given, truth, claimed)

    def judge(self, given: SimInput, truth: SimResult, claimed: SimResult) -> Mismatch | None:
        """Count and keep what differs between the reference's result and the engine's, or return None."""
        self._metrics.rechecks.labels(claimed.engine).inc()
        differences = tuple(compare(truth, claimed))
        if not differences:
            return None
        self._metrics.mismatches.labels(claimed.engine).inc()
        whole = given.self_contained()
        document = {
            "input_id": whole.identity.hex(),
            "differences": differences,
            **_input_to_json(whole),
            "results": [_result_to_json(result) for result in (truth, claimed)],
        }
        return Mismatch(whole.identity, claimed.engine, differences, self._keep(whole.identity, document))

    def _keep(self, identity: bytes, document: dict[str, Any]) -> Path | None:
        if self._folder is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{identity.hex()}.json"
        written = path.with_suffix(".part")
        written.write_text(json.dumps(document, indent=1))
        written.replace(path)
        return path


def kept_inputs(folder: Path) -> int:
    """Return how many inputs the mismatches of all processes have left."""
    return sum(1 for _ in folder.glob("*.json"))


def load_artifact(path: Path) -> SimInput:
    """Read the input back that a mismatch has left, to run it again."""
    try:
        document = json.loads(path.read_text())
        codes = {bytes.fromhex(key): bytes.fromhex(code) for key, code in document["codes"].items()}
        env: dict[str, Any] = {
            name: bytes.fromhex(value) if name in _BYTES_OF_ENV and value is not None else value
            for name, value in document["env"].items()
        }
        blobs = env.pop("blobs", None)
        return SimInput(
            Prestate.from_json(document["prestate"], codes),
            BlockEnv(
                **{**env, "fork": Fork(env["fork"])},
                blobs=None if blobs is None else BlobParameters(**blobs),
            ),
            tuple(decode_transaction(from_hex(raw), allow_high_s=True) for raw in document["txs"]),
            document["begin_block"],
        )
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a mismatch artifact: {type(error).__name__}: {error}") from error


def compare(truth: SimResult, claimed: SimResult) -> list[str]:
    """Return what differs in outcome, in words; why a transaction halted is each engine's own wording."""
    differences = []
    for index, (want, have) in enumerate(zip(truth.txs, claimed.txs, strict=False)):
        for name in ("tx_hash", "status", "gas_used", "output", "logs", "error", "coinbase_payment_wei"):
            expected, found = getattr(want, name), getattr(have, name)
            if expected != found:
                differences.append(f"transaction {index}: {name}: expected {expected!r}, found {found!r}")
    if len(truth.txs) != len(claimed.txs):
        differences.append(f"expected {len(truth.txs)} transactions, found {len(claimed.txs)}")
    if truth.state_diff_hash != claimed.state_diff_hash:
        wanted, found_diff = diff_to_json(truth.state_diff), diff_to_json(claimed.state_diff)
        accounts = sorted(
            address
            for address in wanted.keys() | found_diff.keys()
            if wanted.get(address, "") != found_diff.get(address, "")
        )
        differences.append(f"state diff: accounts {', '.join(accounts)} differ")
    return differences


def _input_to_json(given: SimInput) -> dict[str, Any]:
    codes = sorted(given.prestate.codes.items())
    return {
        "begin_block": given.begin_block,
        "env": _env_to_json(given.env),
        "prestate": given.prestate.to_json(),
        "codes": {code_hash.hex(): code.hex() for code_hash, code in codes},
        "txs": [to_hex(tx.raw) for tx in given.txs],
    }


def _env_to_json(env: BlockEnv) -> dict[str, Any]:
    """Return the block; what a network need not tell is named only where it does."""
    return {
        field.name: value.hex()
        if isinstance(value, bytes)
        else asdict(value)
        if isinstance(value, BlobParameters)
        else value
        for field in fields(env)
        for value in (getattr(env, field.name),)
        if field.name not in _LEFT_OUT or value != field.default
    }


def _result_to_json(result: SimResult) -> dict[str, Any]:
    return {
        "engine": result.engine,
        "txs": [_tx_to_json(tx) for tx in result.txs],
        "state_diff": diff_to_json(result.state_diff),
    }


def _tx_to_json(tx: TxResult) -> dict[str, Any]:
    return {
        "hash": tx.tx_hash.hex(),
        "status": tx.status,
        "gas_used": tx.gas_used,
        "output": tx.output.hex(),
        "error": tx.error,
        "detail": tx.detail,
        "logs": [
            {"address": log.address.hex(), "topics": [t.hex() for t in log.topics], "data": log.data.hex()}
            for log in tx.logs
        ],
    }
