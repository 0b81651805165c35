"""Captures made of real mainnet blocks: everything equal, sightings synthetic and said to be so."""

import json
from pathlib import Path

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import import_blocks_prestate, read_block_file, read_codes, read_json
from mev_dagster.captures.synthetic import RULE
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.cli import main
from mev_dagster.errors import InputError
from mev_dagster.events.types import BlockSeen, TxBody, TxSeen

pytestmark = pytest.mark.fixtures
# The first transaction, an uncle, a DAO-era block, withdrawals and blobs, set-code transactions.
NUMBERS = (46147, 1150000, 4370000, 19426586, 19934116, 22615247)


@pytest.fixture(scope="module")
def sources(fixtures: Path) -> list[Path]:
    return [fixtures / "blocks_prestate" / f"{number}.json.zst" for number in NUMBERS]


@pytest.fixture(scope="module")
def imported(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("import") / "capture"
    import_blocks_prestate(sources, out)
    return out


def test_blocks_receipts_and_states_equal_the_files(fixtures: Path, sources: list[Path], imported: Path):
    codes = read_codes(fixtures / "blocks_prestate" / "codes.json.zst")
    with open_capture(imported) as capture:
        assert capture.numbers == NUMBERS
        for number, source in zip(NUMBERS, sources, strict=True):
            file = read_block_file(source, codes)
            assert capture.block(number) == file.block == block_from_rpc(read_json(source)["block"])
            assert capture.receipts(number) == file.receipts
            state = capture.prestate(number)
            assert state.canonical() == file.prestate.canonical()
            assert dict(state.codes) == dict(file.prestate.codes)


def test_arrival_times_are_synthetic_in_the_manifest_and_in_every_event(imported: Path):
    with open_capture(imported) as capture:
        assert capture.manifest.arrival_times == "synthetic"
        assert capture.manifest.synthetic_rule == RULE
        sightings = [event for event in capture.events() if isinstance(event, TxSeen | TxBody)]
        assert sightings
        assert all(event.synthetic for event in sightings)


def test_each_transaction_arrives_within_twelve_seconds_before_its_block(imported: Path):
    with open_capture(imported) as capture:
        pending: dict[bytes, int] = {}
        for event in capture.events():
            if isinstance(event, TxSeen):
                pending[event.tx_hash] = event.wall_ns
            elif isinstance(event, BlockSeen):
                block = capture.block(event.number)
                assert event.wall_ns == block.header.timestamp * 10**9
                assert set(pending) == {transaction.hash for transaction in block.transactions}
                leads = [event.wall_ns - wall_ns for wall_ns in pending.values()]
                assert all(0 <= lead < 12 * 10**9 for lead in leads)
                pending.clear()


def test_an_imported_capture_verifies_with_every_root_the_headers_allow(imported: Path):
    report = verify_capture(imported)
    assert report.ok, report.errors
    assert report.blocks == report.prestates == len(NUMBERS)
    # Receipts of the two blocks before Byzantium held state roots that nobody recorded.
    assert (report.receipts_root_checked, report.receipts_root_matches) == (4, 4)


def test_the_command_prints_one_document_and_the_second_import_is_the_same_bytes(
    sources: list[Path], tmp_path: Path, imported: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "again"
    with pytest.raises(SystemExit) as ended:
        main(["capture", "import", *map(str, sources), str(out), "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["blocks"] == len(NUMBERS)
    for file in imported.iterdir():
        assert file.read_bytes() == (out / file.name).read_bytes()


def test_an_altered_part_fails_the_verify_command_with_one_line(
    tmp_path: Path, sources: list[Path], capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "capture"
    import_blocks_prestate(sources[:1], out)
    part = out / "prestates.zst"
    content = bytearray(part.read_bytes())
    content[30] ^= 1
    part.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["capture", "verify", str(out)])
    assert ended.value.code == 1
    assert "mev: bad_capture: part prestates.zst: altered" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("1.json", b"{", "1.json"),
        ("1.json", b"[]", "1.json"),
        ("1.json", b'{"block":{}}', "1.json"),
        ("1.json.zst", b"no zstd", "1.json.zst"),
        ("one.json", b"{}", "named after its number"),
    ],
)
def test_a_file_that_is_no_block_is_named(tmp_path: Path, name: str, content: bytes, complaint: str):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "codes.json").write_text("{}")
    with pytest.raises(InputError, match=complaint):
        import_blocks_prestate([tmp_path / name], tmp_path / "out")
    assert not (tmp_path / "out").exists()
