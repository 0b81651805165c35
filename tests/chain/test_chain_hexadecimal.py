"""Bytes as hex text: one way to write them, one strict way to read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.hexadecimal import from_hex, to_hex


@given(st.binary(max_size=80))
def test_what_is_written_is_read_back(content):
    assert from_hex(to_hex(content), len(content)) == content


def test_bytes_are_written_with_0x_and_two_lower_case_digits_each():
    assert to_hex(b"\x00\xab\xff") == "0x00abff"


@pytest.mark.parametrize("text", ["0xABff", "abFF", "ABFF"])
def test_digits_of_either_case_are_read_with_or_without_0x(text):
    assert from_hex(text) == b"\xab\xff"


@pytest.mark.parametrize("text", ["0xabc", "0x0g", "ab cd", "\n00", "0x0x00", "٠٠", None, 7, b"00", ["00"]])
def test_what_is_no_hex_text_is_a_value_error_that_shows_it(text):
    with pytest.raises(ValueError, match="expected hex digits, found"):
        from_hex(text)


def test_another_length_than_expected_is_told():
    with pytest.raises(ValueError, match="expected 32 bytes of hex, found 2"):
        from_hex("0xabff", 32)
