"""`mev decode`: one JSON object a line on stdout, whatever the lines hold."""

import io
import json
import subprocess
import sys

from mev_dagster.chain.signing import sign_transaction
from mev_dagster.commands.decode import read_lines

KEY = bytes(31) + b"\x01"
TRANSACTION = sign_transaction(
    KEY,
    chain_id=1,
    nonce=7,
    to=bytes(20),
    gas_limit=21_000,
    value_wei=2**200,
    max_fee_per_gas_wei=2,
    max_priority_fee_per_gas_wei=1,
)


def run(text, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "mev_dagster", "decode", "-", *arguments],
        input=text.encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_it_decodes_with_and_without_0x_and_skips_blank_lines():
    raw = TRANSACTION.raw.hex()
    status, answers, errors = run(f"\n0x{raw}\r\n   \n {raw} \n{raw}")
    assert (status, errors) == (0, "")
    assert len(answers) == 3
    assert {answer["hash"] for answer in answers} == {"0x" + TRANSACTION.hash.hex()}
    first = answers[0]
    assert first["sender"] == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    assert (first["type"], first["nonce"], first["value_wei"]) == (2, 7, 2**200)


def test_a_bad_line_is_answered_in_its_place_and_ends_with_1():
    raw = TRANSACTION.raw.hex()
    status, answers, _ = run(f"zz\n\n0x\n{raw}00\n{raw}\nabc\n")
    assert status == 1
    assert [(a.get("line"), a.get("error")) for a in answers] == [
        (1, "bad_hex"),
        (3, "empty"),
        (4, "rlp_trailing_bytes"),
        (None, None),
        (6, "bad_hex"),
    ]
    assert all(a["detail"] for a in answers if "error" in a)


def test_another_chain_or_an_older_fork_refuses():
    raw = TRANSACTION.raw.hex()
    assert run(raw, "--chain-id", "1")[0] == 0
    assert run(raw, "--chain-id", "5")[1][0]["error"] == "wrong_chain_id"
    assert run(raw, "--fork", "berlin")[1][0]["error"] == "type_not_supported"
    assert run(raw, "--fork", "prague")[0] == 0


def test_a_file_that_is_not_there_and_a_fork_that_is_none_end_with_2():
    assert run("", "--fork", "nosuch")[0] == 2
    done = subprocess.run(
        [sys.executable, "-m", "mev_dagster", "decode", "/nonexistent/file"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"/nonexistent/file" in done.stderr


def test_an_oversized_line_is_cut_not_kept():
    stream = io.BytesIO(b"ab\n" + b"c" * 1000 + b"\n\nde\n" + b"f" * 25)
    assert list(read_lines(stream, limit=10)) == [(1, b"ab"), (2, b"c" * 10), (4, b"de"), (5, b"f" * 10)]


def test_a_reader_that_stops_early_causes_no_traceback():
    done = subprocess.run(
        f"(yes {TRANSACTION.raw.hex()} | head -20000) | {sys.executable} -m mev_dagster decode - | head -1",
        shell=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert b"Traceback" not in done.stderr
    assert json.loads(done.stdout)["type"] == 2
