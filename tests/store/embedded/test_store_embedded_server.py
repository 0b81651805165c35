"""The embedded server as clickhouse-connect sees it: unchanged, complete, and honest about failures."""

import contextlib
import gzip
import http.client
import threading
import time
from collections.abc import Iterator
from itertools import count

import lz4.frame
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, StreamFailureError
from served_store import ServerProcess

ROWS = 120_000
NUMBERS = list(range(ROWS))
WORDS = [f"word {number}" for number in NUMBERS]


@pytest.fixture(params=[True, "lz4", "zstd", "gzip", False], ids=lambda value: f"compress={value}")
def client(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Client]:
    with server.client(compress=request.param) as connected:
        connected.command("CREATE OR REPLACE TABLE form (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        yield connected


@pytest.fixture
def plain(server: ServerProcess) -> Iterator[Client]:
    with server.client() as connected:
        connected.command("CREATE OR REPLACE TABLE form (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        yield connected


def post(server: ServerProcess, body: bytes, path: str = "/", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        token = {"Authorization": f"Bearer {server.advertised.token}"}
        connection.request("POST", path, body, token | {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


INSERT_FORMS = {
    "columns": lambda c: c.insert("form", [NUMBERS, WORDS], column_names=["a", "b"], column_oriented=True),
    "rows": lambda c: c.insert("form", list(zip(NUMBERS, WORDS, strict=True)), column_names=["a", "b"]),
    "pandas": lambda c: c.insert_df("form", pd.DataFrame({"a": np.arange(ROWS, dtype="u8"), "b": WORDS})),
    "arrow": lambda c: c.insert_arrow("form", pa.table({"a": pa.array(NUMBERS, pa.uint64()), "b": WORDS})),
    "raw csv": lambda c: c.raw_insert("form", ["a", "b"], csv(), fmt="CSV"),
    "raw gzip": lambda c: c.raw_insert(
        "form", ["a", "b"], gzip.compress(csv().encode()), fmt="CSV", compression="gzip"
    ),
    "raw generator": lambda c: c.raw_insert(
        "form", ["a", "b"], (line.encode() for line in csv().splitlines(keepends=True)), fmt="CSV"
    ),
}


def csv() -> str:
    return "".join(f"{number},{word}\n" for number, word in zip(NUMBERS, WORDS, strict=True))


@pytest.mark.parametrize("form", INSERT_FORMS)
def test_every_insert_form_delivers_every_row(client: Client, form: str):
    summary = INSERT_FORMS[form](client)
    assert summary.written_rows == ROWS
    assert client.query("SELECT count(), sum(a), uniqExact(b) FROM form").result_rows == [
        (ROWS, sum(NUMBERS), ROWS)
    ]


def test_an_insert_of_many_lz4_frames_cut_anywhere_is_read_to_its_end(server: ServerProcess, plain: Client):
    lines = csv().splitlines(keepends=True)
    frames = [lz4.frame.compress("".join(lines[i : i + 1000]).encode()) for i in range(0, ROWS, 1000)]
    status, _ = post(
        server,
        lz4.frame.compress(b"INSERT INTO form (a, b) FORMAT CSV\n") + b"".join(frames),
        Content_Encoding="lz4",
    )
    assert status == 200
    assert plain.command("SELECT count() FROM form") == ROWS


def test_a_truncated_body_inserts_nothing(server: ServerProcess, plain: Client):
    body = lz4.frame.compress(b"INSERT INTO form (a, b) FORMAT CSV\n" + csv().encode())
    status, text = post(server, body[:-9], Content_Encoding="lz4")
    assert (status, text.partition(".")[0]) == (400, "Code: 271")
    assert plain.command("SELECT count() FROM form") == 0


def test_a_client_that_goes_away_in_the_middle_inserts_nothing(server: ServerProcess, plain: Client):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", "/")
    connection.putheader("Authorization", f"Bearer {server.advertised.token}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    rows = b"INSERT INTO form (a, b) FORMAT CSV\n1,x\n2,y\n"
    connection.send(b"%x\r\n%s\r\n" % (len(rows), rows))
    connection.close()
    assert plain.ping()
    assert plain.command("SELECT count() FROM form") == 0


def test_rows_the_table_refuses_are_reported_not_swallowed(plain: Client):
    plain.command(
        "CREATE OR REPLACE TABLE by_value (a UInt64, b String) ENGINE = MergeTree ORDER BY a PARTITION BY a"
    )
    with pytest.raises(DatabaseError, match="code: 252"):
        plain.insert("by_value", [NUMBERS, WORDS], column_names=["a", "b"], column_oriented=True)
    assert plain.command("SELECT count() FROM by_value") == 0


def test_rows_that_cannot_be_spooled_are_refused_and_the_server_goes_on(server: ServerProcess, plain: Client):
    spool = server.settings.home / "store.spool"
    spool.rename(spool.with_suffix(".away"))
    try:
        with pytest.raises(DatabaseError, match="Cannot spool the rows: No such file or directory"):
            plain.insert("form", [[1, "x"]], column_names=["a", "b"])
    finally:
        spool.with_suffix(".away").rename(spool)
    plain.insert("form", [[1, "x"]], column_names=["a", "b"])
    assert plain.command("SELECT count() FROM form") == 1


def test_binds_settings_and_sessions_work(server: ServerProcess, plain: Client):
    plain.insert("form", [[1, "it's"], [2, "b"]], column_names=["a", "b"])
    found = plain.query("SELECT a FROM form WHERE b = {word:String}", parameters={"word": "it's"})
    assert found.result_rows == [(1,)]
    many = plain.query(
        "SELECT a FROM form WHERE a IN {ids:Array(UInt64)}", parameters={"ids": NUMBERS[2:9000]}
    )
    assert many.result_rows == [(2,)]  # too long for a URL: sent as a form
    setting = "SELECT value FROM system.settings WHERE name = 'max_block_size'"
    assert plain.query(setting, settings={"max_block_size": 77}).result_rows == [("77",)]
    assert plain.query(setting).result_rows != [("77",)]
    with server.client(session_id="of its own") as session:
        session.command("CREATE TEMPORARY TABLE mine (a UInt8)")
        session.insert("mine", [[1], [2]], column_names=["a"])
        assert session.command("SELECT count() FROM mine") == 2
        session.command("SET max_block_size = 55")
        assert session.query(setting, settings={"max_block_size": 77}).result_rows == [("77",)]
        assert session.query(setting).result_rows == [("55",)]
    with pytest.raises(DatabaseError, match="code: 60"):
        plain.command("SELECT count() FROM mine")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT nothing", 47),
        ("SELEC 1", 62),
        ("SELECT * FROM nowhere", 60),
        ("SELECT * FROM nowhere.at_all", 81),
        ("SELECT toUInt8('x')", 6),
        ("SELECT toUInt8(unhex('d3'))", 6),  # the message names a byte that is no text
        ("INSERT INTO form (a) VALUES ('x')", 6),
    ],
)
def test_errors_carry_clickhouses_codes(plain: Client, sql: str, code: int):
    with pytest.raises(DatabaseError, match=f"code: {code}"):
        plain.command(sql)


def test_an_error_that_names_binary_values_keeps_its_code_in_a_streamed_result_too(plain: Client):
    with pytest.raises(DatabaseError, match=r"code: 6.*\\xd3"):
        plain.query("SELECT toUInt8(unhex('d3'))")


def test_a_failure_in_the_middle_of_a_result_reaches_the_reader(plain: Client):
    with pytest.raises(StreamFailureError, match="Code: 395"):
        assert plain.query("SELECT throwIf(number = 900000) FROM numbers(1000000)").result_rows


def test_results_stream_in_blocks_and_may_be_left_early(plain: Client):
    sql = "SELECT number, toString(number) FROM numbers(2000000)"
    with plain.query_row_block_stream(sql) as blocks:
        assert sum(len(block) for block in blocks) == 2_000_000
    with plain.query_row_block_stream(sql) as blocks:
        next(iter(blocks))
    assert plain.query_arrow("SELECT 1 AS one").to_pydict() == {"one": [1]}
    assert plain.query("SELECT * FROM form LIMIT 0").column_names == ("a", "b")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"username": "default", "password": "wrong"}, 516),
        ({"username": "somebody", "password": "right"}, 516),
        ({"username": None, "password": None, "access_token": "wrong"}, 516),
        ({"username": None, "password": ""}, 194),
    ],
)
def test_a_wrong_or_missing_token_is_refused(server: ServerProcess, given: dict, code: int):
    given = {k: server.advertised.token if v == "right" else v for k, v in given.items()}
    with pytest.raises(DatabaseError, match=f"code: {code}"):
        server.client(**given)


def test_an_access_token_is_as_good_as_a_password(server: ServerProcess):
    with server.client(username=None, password=None, access_token=server.advertised.token) as client:
        assert client.command("SELECT 1") == 1


def test_a_large_insert_with_a_wrong_token_still_gets_its_answer(server: ServerProcess, plain: Client):
    status, text = post(server, csv().encode() * 5, Authorization="Bearer wrong")
    assert (status, text.partition(".")[0]) == (403, "Code: 516")


def test_an_oversize_statement_is_refused_and_an_oversize_url_too(server: ServerProcess, plain: Client):
    status, text = post(server, b"SELECT '" + b"x" * (17 << 20) + b"'")
    assert (status, text.partition(".")[0]) == (413, "Code: 307")
    with contextlib.suppress(ConnectionError):  # the answer may be lost with the rest of the URL unread
        assert post(server, b"", path="/?query=SELECT+'" + "x" * (1 << 20) + "'")[0] == 400
    assert plain.ping()


def test_bodies_that_are_no_statement_are_refused(server: ServerProcess):
    assert post(server, b"")[1].startswith("Code: 62.")
    assert post(server, b"SELECT \xff")[1].startswith("Code: 62.")
    assert post(server, b"SELECT 1", Content_Encoding="br")[1].startswith("Code: 271.")
    assert post(server, b"SELECT 1", path="/?decompress=1")[0] == 501
    assert post(server, b"SELECT 1", path="/?not_a_setting=1")[1].startswith("Code: 115.")
    assert post(server, b"SELECT 1", path="/elsewhere")[0] == 404


def test_a_get_cannot_write(server: ServerProcess, plain: Client):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request(
        "GET",
        "/?query=TRUNCATE+TABLE+form",
        headers={"Authorization": f"Bearer {server.advertised.token}"},
    )
    assert connection.getresponse().read().startswith(b"Code: 164.")
    connection.close()


def test_readers_are_served_while_rows_go_in(server: ServerProcess, plain: Client):
    stop, counts, failures = threading.Event(), [], []

    def read() -> None:
        with server.client() as reader:
            while not stop.is_set():
                try:
                    counts.append(reader.query("SELECT count(), uniqExact(a) FROM form").result_rows[0])
                except Exception as error:
                    failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for start in range(0, 60_000, 3_000):
        plain.insert("form", [[i, "x"] for i in range(start, start + 3_000)], column_names=["a", "b"])
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert all(rows == unique and rows % 3_000 == 0 for rows, unique in counts)
    assert len(set(counts)) > 1


def insert_until_killed(server: ServerProcess, acknowledged: list[int]) -> None:
    with server.client() as client, contextlib.suppress(OperationalError):
        for start in count(0, 100):
            client.insert("kept", [[start + i] for i in range(100)], column_names=["a"])
            acknowledged.append(start)


def test_what_was_acknowledged_survives_sigkill(own_server: ServerProcess):
    with own_server.client() as client:
        client.command("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
    acknowledged: list[int] = []
    inserting = threading.Thread(target=insert_until_killed, args=(own_server, acknowledged))
    inserting.start()
    while len(acknowledged) < 20 and inserting.is_alive():
        time.sleep(0.001)
    own_server.kill()
    inserting.join()
    own_server.start()
    with own_server.client() as client:
        found = {row[0] for row in client.query("SELECT a FROM kept").result_rows}
    assert len(acknowledged) >= 20
    assert {start + i for start in acknowledged for i in range(100)} <= found
    assert len(found) % 100 == 0
    assert not list((own_server.settings.home / "store.spool").iterdir())
