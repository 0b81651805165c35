"""The rules of ClickHouse's HTTP interface, without a socket or an engine."""

import time
from base64 import b64encode

import pytest

from mev_dagster.store.embedded.http_protocol import (
    Code,
    QueryError,
    credentials,
    insert_head,
    late_error,
    parse_call,
    parse_form,
    result_format,
    returns_rows,
    streams,
)


@pytest.mark.parametrize(
    ("statement", "into", "kind", "rows"),
    [
        ("INSERT INTO t FORMAT Native\nROWS", "INSERT INTO t", "Native", "ROWS"),
        (
            "insert into `db`.`t` (`a`, `b`) format CSV\r\n1,2",
            "insert into `db`.`t` (`a`, `b`)",
            "CSV",
            "1,2",
        ),
        ("INSERT INTO t (format, `values`) FORMAT TSV\nx", "INSERT INTO t (format, `values`)", "TSV", "x"),
        ("INSERT INTO t (a) SETTINGS b = 1, c='FORMAT x' FORMAT Arrow\nx", "INSERT INTO t (a)", "Arrow", "x"),
        (
            "\n INSERT INTO TABLE t(a.b, c) FORMAT RowBinary \n\n",
            "INSERT INTO TABLE t(a.b, c)",
            "RowBinary",
            "\n",
        ),
        ('INSERT INTO "odd \\" name" FORMAT JSONEachRow', 'INSERT INTO "odd \\" name"', "JSONEachRow", ""),
    ],
)
def test_rows_behind_an_insert_are_told_from_the_statement(statement, into, kind, rows):
    head = insert_head(statement)
    assert head is not None
    assert (head.into.strip(), head.format, statement[head.length :]) == (into, kind, rows)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES ('INSERT INTO t FORMAT Native')",
        "INSERT INTO t (a) FORMAT Values (1)",
        "INSERT INTO t SELECT 1 FORMAT Native",
        "SELECT 1 FORMAT Native",
        "",
    ],
)
def test_statements_that_carry_no_rows_of_a_format_run_as_they_are(statement):
    assert insert_head(statement) is None


@pytest.mark.parametrize("filler", [" ", "a ", ", a", "a.", "'", "SETTINGS a "])
def test_no_statement_makes_the_recognition_slow(filler: str):
    started = time.process_time()
    for start in ("INSERT INTO t", "INSERT INTO t (", "INSERT INTO t SETTINGS "):
        assert insert_head(start + filler * 20_000 + ")") is None
    assert time.process_time() - started < 1


def test_parameters_are_sorted_into_binds_settings_and_transport():
    call = parse_call(
        [
            ("query", "SELECT {x:UInt8}"),
            ("param_x", "7"),
            ("max_threads", "1"),
            ("database", "mev"),
            ("query_id", "q"),
            ("wait_end_of_query", "1"),
            ("session_id", "s"),
        ],
        read_only=False,
    )
    assert call.bound == {"x": "7"}
    assert call.settings == {"max_threads": "1"}
    assert (call.sql, call.database, call.session_id) == ("SELECT {x:UInt8}", "mev", "s")


def test_a_get_may_only_read():
    assert parse_call([("query", "SELECT 1")], read_only=True).settings == {"readonly": "2"}
    given = [("readonly", "0"), ("max_threads", "1")]
    assert list(parse_call(given, read_only=True).settings.items())[-1] == ("readonly", "2")
    with pytest.raises(QueryError, match="POST only"):
        parse_call([("session_id", "s")], read_only=True)


def test_a_setting_that_is_no_name_never_reaches_the_engine():
    with pytest.raises(QueryError, match="Unknown setting"):
        parse_call([("a = 1; DROP", "1")], read_only=False)


def test_credentials_are_found_wherever_a_client_may_put_them():
    basic = "Basic " + b64encode(b"default:to:ken").decode()
    assert credentials({"authorization": basic}, {}) == ("default", "to:ken")
    assert credentials({"authorization": "Bearer token"}, {}) == ("", "token")
    assert credentials({"x-clickhouse-user": "u", "x-clickhouse-key": "k"}, {}) == ("u", "k")
    assert credentials({}, {"user": "u", "password": "p"}) == ("u", "p")
    assert credentials({"authorization": "Basic !!!"}, {}) == ("", "")
    assert credentials({}, {}) is None


def test_results_are_told_from_acknowledgements():
    assert returns_rows("-- why\n /* so */ (SELECT 1)")
    assert returns_rows("CHECK TABLE t")
    assert not returns_rows("CREATE TABLE t (a UInt8) ENGINE = Null AS SELECT 1")
    assert result_format("SELECT 1 FORMAT Arrow;", "TSV") == "Arrow"
    assert result_format("SELECT 'FORMAT x'", "TSV") == "TSV"
    assert streams("WITH 1 AS a SELECT a", "Native")
    assert not streams("SELECT 1", "Arrow")
    assert not streams("SHOW TABLES", "Native")


def test_an_error_carries_the_engines_code_and_the_status_clickhouse_gives_it():
    error = QueryError.of_engine("Streaming query failed: Code: 60. DB::Exception: no. (UNKNOWN_TABLE)")
    assert (error.code, error.http_status) == (60, 404)
    assert error.body("1.2") == "Code: 60. DB::Exception: no. (UNKNOWN_TABLE) (version 1.2)"
    own = QueryError(Code.TOO_MANY_BYTES, "too long")
    assert own.http_status == 413
    assert own.body("1.2") == "Code: 307. DB::Exception: too long. (TOO_MANY_BYTES) (version 1.2)"


def test_a_late_error_states_its_length_between_its_tags():
    block = late_error("0123456789abcdef", "Code: 395. DB::Exception: no")
    body, _, foot = block.removeprefix(b"\r\n__exception__\r\n0123456789abcdef\r\n").partition(b"\n")
    assert foot == b"%d 0123456789abcdef\r\n__exception__\r\n" % (len(body) + 1)


def test_forms_hold_fields_and_no_files():
    form = (
        b"--x\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 'caf\xc3\xa9'\r\n"
        b'--x\r\nContent-Disposition: form-data; name="param_a"\r\n\r\n[1,2]\r\n--x--\r\n'
    )
    assert parse_form("multipart/form-data; boundary=x", form) == [
        ("query", "SELECT 'café'"),
        ("param_a", "[1,2]"),
    ]
    file = form.replace(b'name="param_a"', b'name="param_a"; filename="f"')
    with pytest.raises(QueryError, match="External tables"):
        parse_form("multipart/form-data; boundary=x", file)
    with pytest.raises(QueryError, match="multipart"):
        parse_form("multipart/form-data", form)
