"""A changed bit anywhere in a log is found and named; no bytes make a reader fail in another way."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from faulty_disks import SwiftDisk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mev_dagster.cli import main
from mev_dagster.errors import InputError, LogCorrupt
from mev_dagster.events.log import EventLogReader, EventLogWriter, verify
from mev_dagster.events.manifest import MANIFEST, read_manifest
from mev_dagster.events.segment import read_footer, read_sealed, segment_paths
from mev_dagster.events.types import Lane, TxBody


def body(seq: int) -> TxBody:
    tx_hash = hashlib.sha256(seq.to_bytes(8, "big")).digest()
    return TxBody(-1, seq * 1_000, seq, Lane.RPC, "node", tx_hash, tx_hash[: seq % 32])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sealed segments and one that is open, nine events."""
    directory = tmp_path_factory.mktemp("sound")
    with EventLogWriter(directory) as writer:
        for start in (0, 3, 6):
            writer.append_many(body(seq) for seq in range(start, start + 3))
            if start < 6:
                writer.seal()
    return directory


def copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def places_of_records(directory: Path) -> dict[str, list[tuple[int, int, int]]]:
    """Return (start, end, seq) of every record, by segment."""
    found = {}
    for segment in segment_paths(directory):
        content = segment.read_bytes()
        batch = (
            read_sealed(content, segment.name)[1]
            if content.endswith(b"MEVSEAL\n")
            else next(EventLogReader(directory).batches(6))
        )
        shift = 0 if content.endswith(b"MEVSEAL\n") else len(content) - len(batch.buffer)
        seqs = batch.headers["seq"].tolist()
        found[segment.name] = list(
            zip((batch.offsets + shift).tolist(), (batch.ends + shift).tolist(), seqs, strict=True)
        )
    return found


def test_a_flipped_bit_is_found_and_named_wherever_it_is(tmp_path: Path, sound: Path):
    places = places_of_records(sound)
    assert [seq for spans in places.values() for _, _, seq in spans] == list(range(9))
    log, chance = copy(sound, tmp_path / "log"), Random(1)
    for file in sorted(log.iterdir()):
        if file.name == "writer.lock":
            continue
        content = file.read_bytes()
        for position in range(len(content)):
            damaged = bytearray(content)
            damaged[position] ^= 1 << chance.randrange(8)
            file.write_bytes(damaged)
            report = verify(log)
            where = f"{file.name} at {position}: {report.errors}"
            assert not report.ok, where
            assert any(damage.segment == file.name for damage in report.errors), where
            for start, end, seq in places.get(file.name, ()):
                if start <= position < end:
                    hit = [(damage.offset, damage.seq) for damage in report.errors]
                    assert hit == [(start, seq)], where
        file.write_bytes(content)
    assert verify(log).ok


def test_a_reader_names_segment_offset_and_event_of_damage(tmp_path: Path, sound: Path):
    log = copy(sound, tmp_path / "log")
    for name, spans in places_of_records(sound).items():
        content = (log / name).read_bytes()
        start, end, seq = spans[1]
        (log / name).write_bytes(content[: end - 1] + bytes((content[end - 1] ^ 1,)) + content[end:])
        with pytest.raises(LogCorrupt, match=f"segment {name}: offset {start}: event {seq} "):
            list(EventLogReader(log).read())
        (log / name).write_bytes(content)


@pytest.mark.parametrize("name", ["000000000000.segment", "000000000003.segment", "000000000006.segment"])
def test_a_segment_cut_short_at_any_byte_is_found(tmp_path: Path, sound: Path, name: str):
    log = copy(sound, tmp_path / "log")
    content = (log / name).read_bytes()
    for length in range(len(content)):
        (log / name).write_bytes(content[:length])
        report = verify(log)
        assert not report.ok
        assert any(damage.segment == name for damage in report.errors)
        with pytest.raises(LogCorrupt, match=name):
            EventLogWriter(log)


def test_a_segment_that_is_gone_or_swapped_is_found(tmp_path: Path, sound: Path):
    for number, change in enumerate([remove_one, swap_two, add_a_stranger]):
        log = copy(sound, tmp_path / str(number))
        change(log)
        assert not verify(log).ok
        with pytest.raises(LogCorrupt):
            read_and_open(log)


def read_and_open(log: Path) -> None:
    list(EventLogReader(log).read())
    EventLogWriter(log)


def remove_one(log: Path) -> None:
    (log / "000000000003.segment").unlink()


def swap_two(log: Path) -> None:
    one, two = (log / "000000000000.segment").read_bytes(), (log / "000000000003.segment").read_bytes()
    (log / "000000000000.segment").write_bytes(two)
    (log / "000000000003.segment").write_bytes(one)


def add_a_stranger(log: Path) -> None:
    (log / "000000000900.segment").write_bytes((log / "000000000000.segment").read_bytes())


def test_the_command_names_the_damage_and_ends_with_one(
    tmp_path: Path, sound: Path, capsys: pytest.CaptureFixture[str]
):
    log = copy(sound, tmp_path / "log")
    path = log / "000000000003.segment"
    start, end, seq = places_of_records(sound)[path.name][2]
    content = bytearray(path.read_bytes())
    content[end - 2] ^= 4
    path.write_bytes(content)
    for arguments in (["events", "verify", str(log)], ["events", "verify", str(log), "--json"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 1
    captured = capsys.readouterr()
    assert f"log_corrupt: segment {path.name}: offset {start}: event {seq}: the record" in captured.err
    document = json.loads(captured.out.splitlines()[-1])
    assert (document["ok"], document["segments"], document["events"]) == (False, 3, 9)
    assert document["errors"] == [
        {"segment": path.name, "offset": start, "seq": seq, "detail": "the record is damaged"}
    ]


def use(log: Path) -> None:
    """Do everything one does with a log."""
    uses: list[Callable[[], object]] = [
        lambda: verify(log),
        lambda: list(EventLogReader(log).read()),
        lambda: EventLogReader(log).last_seq,
        lambda: EventLogWriter(log, disk=SwiftDisk()).close(),
    ]
    for each in uses:
        with suppress(LogCorrupt, InputError):
            each()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_bytes_make_nothing_fail_but_by_type(
    tmp_path_factory: pytest.TempPathFactory, sound: Path, data: st.DataObject
):
    log = copy(sound, tmp_path_factory.mktemp("fuzz") / "log")
    names = sorted(path.name for path in log.iterdir() if path.name != "writer.lock")
    file = log / data.draw(st.sampled_from(names))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        new = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + len(new)] = new
    file.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    use(log)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_forged_digests_do_not_get_nonsense_past_the_reader(
    tmp_path_factory: pytest.TempPathFactory, sound: Path, data: st.DataObject
):
    """Whoever can write the files can make digests agree; limits and types still hold."""
    log = copy(sound, tmp_path_factory.mktemp("forged") / "log")
    path = log / "000000000000.segment"
    content = bytearray(path.read_bytes())
    footer = read_footer(bytes(content), path.name)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(56, len(content) - 50))
        content[at] = data.draw(st.integers(0, 255))
    forge(log, path, content, footer.footer_offset)
    use(log)


def forge(log: Path, path: Path, content: bytearray, footer_offset: int) -> None:
    """Make footer, manifest and checks agree with altered records."""
    from dataclasses import replace
    from zlib import crc32

    digest = hashlib.sha256(content[:footer_offset]).digest()
    content[-40:-8] = digest
    content[footer_offset : footer_offset + 4] = crc32(content[footer_offset + 4 :]).to_bytes(4, "little")
    path.write_bytes(content)
    manifest = read_manifest(log)
    first, second = manifest.segments
    forged = replace(
        manifest,
        segments=(
            replace(first, digest=digest.hex()),
            replace(second, previous_digest=digest.hex()),
        ),
    )
    (log / MANIFEST).write_bytes(forged.encode())
