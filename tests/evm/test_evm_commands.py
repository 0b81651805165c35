import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
import zstandard

from mev_dagster.cli import main
from mev_dagster.evm.block_files import load_block_file

pytestmark = pytest.mark.fixtures

PARITY_KEYS = {
    "blocks",
    "txs",
    "gas_mismatches",
    "status_mismatches",
    "log_mismatches",
    "receipts_root_matches",
    "receipts_root_checked",
    "state_root_matches",
    "state_root_checked",
    "access_list_matches",
    "access_list_checked",
    "unsupported",
    "failures",
    "seconds",
}


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


@pytest.fixture
def folder(fixtures, tmp_path) -> Path:
    """A small block and what it needs, free to be spoilt."""
    for name in ("22615247.json.zst", "22615247.witness.json.zst", "codes.json.zst"):
        shutil.copy(fixtures / "blocks_prestate" / name, tmp_path)
        (tmp_path / name).chmod(0o644)
    return tmp_path


def alter(path: Path, change) -> None:
    document = json.loads(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
    change(document)
    path.write_bytes(zstandard.ZstdCompressor().compress(json.dumps(document).encode()))


def test_parity_prints_one_document_and_holds(capsys, folder):
    status, out, _ = run(capsys, "parity", folder, "--json")
    document = json.loads(out)
    assert status == 0
    assert set(document) == PARITY_KEYS
    assert (document["blocks"], document["txs"]) == (1, 26)
    assert (document["receipts_root_matches"], document["state_root_matches"]) == (1, 1)
    assert document["unsupported"] == document["failures"] == []


def test_parity_speaks_to_people(capsys, folder):
    status, out, _ = run(capsys, "parity", folder / "22615247.json.zst")
    assert status == 0
    assert "receipts roots" in out
    assert "1 of 1 equal" in out


def test_parity_takes_a_capture(capsys):
    capture = files("mev_dagster") / "demo" / "capture"
    status, out, _ = run(capsys, "parity", capture, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["state_root_matches"] == document["state_root_checked"] == document["blocks"] > 0


def test_a_mismatch_ends_with_one_and_names_file_and_transaction(capsys, folder):
    def lie(document):
        document["expected"]["receipts"][3]["gas_used"] += 1

    alter(folder / "22615247.json.zst", lie)
    status, out, err = run(capsys, "parity", folder, "--json")
    document = json.loads(out)
    assert status == 1
    assert document["gas_mismatches"] == 1
    assert document["failures"][0]["tx"] == 3
    assert "22615247.json.zst" in err


def test_a_truncated_file_ends_with_two_and_is_named_while_the_rest_is_checked(capsys, folder):
    (folder / "1.json.zst").write_bytes((folder / "22615247.json.zst").read_bytes()[:500])
    status, out, err = run(capsys, "parity", folder, "--json")
    document = json.loads(out)
    assert status == 2
    assert document["blocks"] == 1
    assert document["failures"][0]["file"].endswith("1.json.zst")
    assert "1.json.zst" in err


def test_an_unsupported_fork_is_listed(capsys, folder):
    # Sepolia is past the last fork known here at this time.
    def move(document):
        header = document["block"]
        document["chain_id"] = 11_155_111
        header["timestamp"] = hex(1_800_000_000)
        header.pop("hash", None)

    alter(folder / "22615247.json.zst", move)
    status, out, _ = run(capsys, "parity", folder / "22615247.json.zst", "--json")
    document = json.loads(out)
    assert status == 2
    assert document["unsupported"][0]["error"] == "unsupported_fork"
    assert "AMSTERDAM" in document["unsupported"][0]["detail"]


def test_simulate_prints_one_document(capsys, folder):
    status, out, _ = run(capsys, "simulate", folder / "22615247.json.zst", "--json")
    document = json.loads(out)
    assert status == 0
    assert {"engine", "fork", "txs", "receipts_root", "state_diff_hash", "seconds"} <= set(document)
    assert (document["engine"], document["fork"], len(document["txs"])) == ("py_evm", "PRAGUE", 26)
    assert {"hash", "status", "gas_used", "logs_hash"} <= set(document["txs"][0])


def test_simulate_gives_one_transaction_as_it_came_out_in_its_block(capsys, folder):
    _, out, _ = run(capsys, "simulate", folder / "22615247.json.zst", "--json")
    _, alone, _ = run(capsys, "simulate", folder / "22615247.json.zst", "--json", "--tx", "7")
    assert json.loads(alone)["txs"] == [json.loads(out)["txs"][7]]


def test_simulate_takes_a_bundle_in_place_of_the_block(capsys, folder):
    block = load_block_file(folder / "22615247.json.zst").block
    bundle = folder / "bundle.hex"
    lines = ["0x" + block.transactions[7].raw.hex(), "no transaction", block.transactions[8].raw.hex()[:-2]]
    bundle.write_text("\n".join(line.replace(" ", "_") for line in lines))
    _, whole, _ = run(capsys, "simulate", folder / "22615247.json.zst", "--json")
    status, out, _ = run(
        capsys, "simulate", folder / "22615247.json.zst", "--json", "--tx", "7", "--bundle", bundle
    )
    first, *others = json.loads(out)["txs"]
    assert status == 0
    assert first == json.loads(whole)["txs"][7]
    assert [(tx["status"], tx["gas_used"]) for tx in others] == [("invalid", 0)] * 2
    assert all(tx["error"] and tx["detail"] for tx in others)


def test_simulate_speaks_to_people(capsys, folder):
    status, out, _ = run(capsys, "simulate", folder / "22615247.json.zst")
    assert status == 0
    assert "state diff     0x" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["simulate", "{}/22615247.json.zst", "--tx", "26"], "transactions 0 to 25"),
        (["simulate", "{}/nowhere.json"], "nowhere.json"),
        (["simulate", "{}/22615247.json.zst", "--engine", "abacus"], "no engine 'abacus'"),
        (["parity", "{}/nowhere"], "nowhere"),
        (["parity", "{}", "--engine", "node"], "MEV_RPC_URL"),
    ],
)
def test_bad_usage_is_one_clear_line(capsys, folder, monkeypatch, arguments, says):
    monkeypatch.chdir(folder)
    status, out, err = run(capsys, *[argument.format(folder) for argument in arguments])
    assert status == 2
    assert out == ""
    assert says in err
    assert len(err.strip().splitlines()) == 1
