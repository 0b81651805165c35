"""The executable specification of Ethereum as a judge, in an environment of its own.

Its pins of coincurve and cryptography exclude ours, so it lives in a virtual environment that is made once
from `eels_requirements.txt` and found again by that file's digest.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "eels_requirements.txt"
INSTALL_SECONDS = 900.0

MODULES = {fork: fork.name.lower() for fork in Fork if fork < Fork.AMSTERDAM}
MODULES[Fork.DAO] = "dao_fork"
# The specification's Constantinople is what mainnet ran by that name: without EIP-1283, hence Petersburg.
# Arrow Glacier's has only a difficulty bomb of its own.
MODULES[Fork.PETERSBURG] = MODULES.pop(Fork.CONSTANTINOPLE)
del MODULES[Fork.ARROW_GLACIER]


def specification_python() -> str:
    """Return a Python that has the specification: MEV_EELS_PYTHON's, an earlier one, or one made now."""
    named = os.environ.get("MEV_EELS_PYTHON")
    if named:
        return named
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    folder = Path.home() / ".cache" / "mev_dagster" / f"eels-{version}-{digest}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [*install, "-r", REQUIREMENTS],
        ):
            ended = subprocess.run(command, capture_output=True, timeout=INSTALL_SECONDS, check=False)
            if ended.returncode:
                reason = (ended.stderr or ended.stdout)[-300:].decode(errors="replace")
                pytest.skip(f"the executable specification cannot be installed: {reason}")
        (folder / "ready").touch()
    return str(python)


class Specification:
    """One worker process; a case in, what the specification makes of it out."""

    def __init__(self, python: str) -> None:
        self.answered = self.unanswered = 0
        self._process = subprocess.Popen(
            [python, str(HERE / "eels_worker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, state: Prestate, env: BlockEnv, txs) -> dict:
        """Return what the specification makes of transactions; `no_answer` where it fails itself."""
        case = {
            "fork": MODULES[env.fork],
            "alloc": {
                address.hex(): (
                    account.nonce,
                    account.balance_wei,
                    state.code(account.code_hash).hex(),
                    {str(slot): value for slot, value in account.storage.items() if value},
                )
                for address, account in state.accounts.items()
            },
            "env": {
                "chain_id": env.chain_id,
                "gas_limit": env.gas_limit,
                "coinbase": env.coinbase.hex(),
                "number": env.number,
                "timestamp": env.timestamp,
                "base_fee": env.base_fee_per_gas_wei,
                "difficulty": env.difficulty,
                "prev_randao": env.prev_randao.hex(),
                "excess_blob_gas": env.excess_blob_gas or 0,
                "block_hashes": [state.block_hashes[number].hex() for number in range(env.number)],
            },
            "txs": [tx.raw.hex() for tx in txs],
        }
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.unanswered += "no_answer" in answer
        self.answered += "no_answer" not in answer
        return answer

    def close(self) -> None:
        """End the worker."""
        self._process.stdin.close()
        self._process.wait(10)
