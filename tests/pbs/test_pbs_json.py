"""JSON input that is nearly right is refused, and the message names the field."""

import copy
import sys

import pytest

from mev_dagster.errors import DecodeError
from mev_dagster.pbs import codec_json, schema
from mev_dagster.pbs.types import ConsensusFork

KIND = schema.SUBMIT_BLOCK_REQUEST[ConsensusFork.CAPELLA]


@pytest.fixture(scope="module")
def document(relay_file):
    return codec_json.loads(relay_file("alloy_relay_single_payload.json.zst"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("message", "slot"), 6768260),
        (("message", "slot"), "0x10"),
        (("message", "slot"), "+1"),
        (("message", "slot"), "01"),
        (("message", "slot"), "1 "),
        (("message", "slot"), "\u0661"),
        (("message", "slot"), str(2**64)),
        (("message", "value"), str(2**256)),
        (("message", "value"), "-1"),
        (("message", "builder_pubkey"), "0x00"),
        (("message", "block_hash"), "54" * 32),
        (("message", "block_hash"), "0x" + "5 " * 32),
        (("message", "block_hash"), "0x" + "zz" * 32),
        (("execution_payload", "extra_data"), "0x" + "00" * 33),
        (("execution_payload", "logs_bloom"), None),
        (("execution_payload", "withdrawals"), {}),
        (("execution_payload", "withdrawals", 3, "amount"), 14.5),
        (("execution_payload", "transactions", 7), "0x0"),
        (("signature",), "0x"),
        (("message",), []),
    ],
)
def test_a_malformed_field_is_named(document, path, value):
    damaged = copy.deepcopy(document)
    holder = damaged
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    expected = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    with pytest.raises(DecodeError) as caught:
        codec_json.from_json(KIND, damaged)
    assert caught.value.detail.startswith(expected)


def test_a_missing_field_is_named(document):
    damaged = copy.deepcopy(document)
    del damaged["execution_payload"]["prev_randao"]
    with pytest.raises(DecodeError, match=r"missing_field: execution_payload\.prev_randao"):
        codec_json.from_json(KIND, damaged)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b'{"message": \xff}', b"nul"])
def test_text_that_is_no_json_is_a_typed_error(text):
    with pytest.raises(DecodeError, match="json_syntax"):
        codec_json.loads(text)


def test_brackets_inside_strings_are_not_nesting():
    text = b'["' + b"[" * 5_000 + b'\\"[", [{"a": []}]]'
    assert codec_json.loads(text) == ["[" * 5_000 + '"[', [{"a": []}]]
    assert codec_json.loads(b"[" + b"[],{}," * 5_000 + b"1]")[-1] == 1


def test_deep_nesting_is_refused_even_where_the_interpreter_would_recurse():
    """py-evm raises the recursion limit to a depth at which a parser overruns the C stack."""
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(200_000)
        for text in (b"[" * 150_000, b'{"a":' * 150_000, b'["x' + b"]" * 9 + b'",' + b"[" * 150_000):
            with pytest.raises(DecodeError, match="nested deeper"):
                codec_json.loads(text)
    finally:
        sys.setrecursionlimit(before)


def test_schema_placeholders_of_relay_specs_are_refused_by_name(relay_file):
    """The examples of relay-specs lack `proposer_pubkey`: placeholders, not submissions."""
    document = codec_json.loads(relay_file("relay-specs_capella_submit_block_request.json.zst"))["value"]
    with pytest.raises(DecodeError, match=r"missing_field: message\.proposer_pubkey"):
        codec_json.from_json(KIND, document)
