"""Calldata is encoded as the ABI says; eth-abi is the oracle."""

import eth_abi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mev_dagster.demo import abi
from mev_dagster.errors import InputError

SCALARS = {
    "uint256": st.integers(0, 2**256 - 1),
    "uint8": st.integers(0, 255),
    "int24": st.integers(-(2**23), 2**23 - 1),
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=100),
    "string": st.text("aé€😀", max_size=40),
}


def typed(depth: int) -> st.SearchStrategy:
    """A type with a strategy for its values: scalars, arrays and tuples of them."""
    scalar = st.sampled_from(sorted(SCALARS)).map(lambda kind: (kind, SCALARS[kind]))
    if depth == 0:
        return scalar
    inner = typed(depth - 1)
    array = inner.map(lambda kv: (f"{kv[0]}[]", st.lists(kv[1], max_size=3)))
    together = st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: (f"({','.join(kind for kind, _ in parts)})", st.tuples(*(value for _, value in parts)))
    )
    return scalar | array | together


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_nesting_of_types_is_encoded_as_eth_abi_encodes_it(data):
    drawn = data.draw(st.lists(typed(2), max_size=4))
    types = [kind for kind, _ in drawn]
    values = [data.draw(values) for _, values in drawn]
    in_hex = [_hex_addresses(kind, value) for kind, value in zip(types, values, strict=True)]
    assert abi.encode(types, values) == eth_abi.encode(types, in_hex)


def _hex_addresses(kind, value):
    """eth-abi takes addresses as text."""
    if kind.endswith("[]"):
        return [_hex_addresses(kind[:-2], item) for item in value]
    if kind.startswith("("):
        return tuple(_hex_addresses(k, v) for k, v in zip(abi._components(kind), value, strict=True))
    return "0x" + value.hex() if kind == "address" else value


@pytest.mark.parametrize(
    ("types", "values"),
    [
        (["uint8"], [256]),
        (["uint256"], [-1]),
        (["address"], [b"short"]),
        (["int8"], [128]),
        (["fixed8x1"], [1]),
        (["bool"], []),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused(types, values):
    with pytest.raises(InputError):
        abi.encode(types, values)
