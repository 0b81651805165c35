"""The same inputs give the same digests: twice, in any process whatever its hash seed, by each engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mev_dagster.evm.native import native_is_installed

pytestmark = pytest.mark.fixtures

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("py_evm", *(["revm"] if native_is_installed() else []))
# Everything a result holds, in the order it holds it, under one digest; a set's order would change it.
PROGRAM = """
import hashlib, json, sys
from dataclasses import replace
from pathlib import Path
from mev_dagster.chain.forks import Fork
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.evm.blocks import block_env, execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.types import Want

def digest(sim):
    # Only some engines root the receipts themselves; the block's root is compared apart.
    return hashlib.sha256(repr(replace(sim, engine="", receipts_root=None)).encode()).hexdigest()

file = load_block_file(Path(sys.argv[1]))
env, txs = block_env(file.block.header, file.chain_id), file.block.transactions
found = []
for name in json.loads(sys.argv[2]):
    for engine in [get_engine(name, want=Want(calls=True, analytics=True))] * 2 + [get_engine(name)]:
        whole = execute_block(engine, file.prestate, file.block, file.chain_id)
        session = engine.session(file.prestate, env, txs[:5])
        trials = [session.run(txs[5:5 + count]) for count in (1, 3, 1)]
        found.append({
            "prestate": file.prestate.digest().hex(),
            "diff": whole.state_diff_hash.hex(),
            "receipts": whole.receipts_root.hex(),
            "order": [address.hex() for address in whole.state_diff],
            "whole": digest(whole.sim),
            "trials": [digest(trial) for trial in trials],
        })
print(json.dumps(found))
"""


def answers(path: Path, seed: str) -> list[dict]:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), json.dumps(ENGINES)],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=environment,
    )
    return json.loads(ended.stdout)


@pytest.mark.parametrize("number", [22615247, pytest.param(19934116, marks=pytest.mark.long)])
def test_every_run_process_and_engine_agrees(fixtures, number):
    path = fixtures / "blocks_prestate" / f"{number}.json.zst"
    told = [answer for seed in ("0", "1", "4242") for answer in answers(path, seed)]
    assert len(told) == 3 * 3 * len(ENGINES)
    for name in ("prestate", "diff", "receipts", "order"):
        assert all(answer[name] == told[0][name] for answer in told), name
    assert told[0]["order"] == sorted(told[0]["order"])
    # Of each engine's three runs two were asked for calls and analytics, and one was not.
    asked = [answer for index, answer in enumerate(told) if index % 3 < 2]
    plain = [answer for index, answer in enumerate(told) if index % 3 == 2]
    for group in (asked, plain):
        assert all(answer == group[0] for answer in group)
        assert group[0]["trials"][0] == group[0]["trials"][2]
