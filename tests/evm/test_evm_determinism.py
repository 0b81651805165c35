"""The same inputs give the same digests in any process, whatever its hash seed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fixtures

PROGRAM = """
import json, sys
from pathlib import Path
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
file = load_block_file(Path(sys.argv[1]))
result = execute_block(get_engine(), file.prestate, file.block, file.chain_id)
print(json.dumps({
    "prestate": file.prestate.digest().hex(),
    "diff": result.state_diff_hash.hex(),
    "order": [address.hex() for address in result.state_diff],
    "read": [[address.hex() for address in tx.accounts_read] for tx in result.sim.txs],
    "changes": [[address.hex() for address in tx.balance_changes_wei] for tx in result.sim.txs],
}))
"""


@pytest.mark.parametrize("number", [22615247])
def test_two_processes_agree(fixtures, number):
    path = fixtures / "blocks_prestate" / f"{number}.json.zst"
    root = Path(__file__).resolve().parents[2]
    answers = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, str(path)],
                check=True,
                capture_output=True,
                cwd=root,
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1]
    assert answers[0]["order"] == sorted(answers[0]["order"])
