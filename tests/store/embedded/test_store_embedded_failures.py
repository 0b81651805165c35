"""The engine's message is known whatever became of it on the way through Python."""

from mev_dagster.store.embedded.failures import message

SAID = b"Code: 6. DB::Exception: Cannot parse string '\xd3' as UInt8"
READ = "Code: 6. DB::Exception: Cannot parse string '\\xd3' as UInt8"


def nothing() -> bytes:
    raise AssertionError("the engine was asked for what the error holds")


def wrapped(cause: BaseException | None, text: str = "Streaming query failed: ") -> RuntimeError:
    error = RuntimeError(text)
    error.__cause__ = cause
    return error


def test_a_message_that_is_text_is_the_errors_own():
    assert message(RuntimeError("Code: 62. Syntax error"), nothing) == "Code: 62. Syntax error"


def test_a_message_that_could_not_be_decoded_is_in_the_error_or_in_its_cause():
    undecoded = UnicodeDecodeError("utf-8", SAID, 45, 46, "invalid continuation byte")
    assert message(undecoded, nothing) == READ
    assert message(wrapped(undecoded), nothing) == READ


def test_a_message_that_was_lost_is_asked_for():
    assert message(wrapped(RuntimeError()), lambda: SAID) == READ
    assert message(RuntimeError(), lambda: SAID) == READ


def test_where_the_engine_knows_none_either_what_there_is_stays():
    assert message(wrapped(RuntimeError()), lambda: b"") == "Streaming query failed: "
