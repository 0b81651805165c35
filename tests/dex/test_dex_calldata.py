"""Router and executor calldata against eth-abi, an independent encoder."""

from contextlib import suppress

import eth_abi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.dex.executor import EXECUTE, SwapStep, encode_execute
from mev_dagster.dex.intent import swap_intent
from mev_dagster.dex.venues.uniswap_v2.router import FUNCTIONS, INTENTS
from mev_dagster.errors import DecodeError

addresses = st.binary(min_size=20, max_size=20)
KNOWN = list(zip(INTENTS, FUNCTIONS, strict=True))
words = st.integers(0, (1 << 256) - 1)
paths = st.lists(addresses, min_size=2, max_size=6)


def types_of(signature):
    return signature[signature.index("(") + 1 : -1].split(",")


@given(
    st.sampled_from(list(KNOWN)),
    st.tuples(words, words),
    words,
    paths,
    st.tuples(addresses, words),
)
def test_every_router_swap_is_read_as_it_was_encoded(known, both_amounts, value, path, end):
    selector, function = known
    to, deadline = end
    amounts = both_amounts[1:] if function.ether_in else both_amounts
    data = selector + eth_abi.encode(types_of(function.signature), (*amounts, path, *end))
    call = swap_intent(data, value)
    assert (call.protocol, call.method) == ("uniswap_v2", function.name)
    assert (call.exact_input, call.path) == (function.exact_input, tuple(path))
    assert (call.recipient, call.deadline) == (to, deadline)
    if function.ether_in:
        assert (call.amount_in, call.amount_out) == (value, amounts[0])
    elif function.exact_input:
        assert (call.amount_in, call.amount_out) == amounts
    else:
        assert (call.amount_out, call.amount_in) == amounts


def test_known_selectors():
    names = {bytes.hex(selector): function.name for selector, function in KNOWN}
    assert names["7ff36ab5"] == "swapExactETHForTokens"
    assert names["38ed1739"] == "swapExactTokensForTokens"
    assert names["b6f9de95"] == "swapExactETHForTokensSupportingFeeOnTransferTokens"
    assert len(FUNCTIONS) == 9


def test_another_call_is_not_a_swap():
    assert swap_intent(bytes.fromhex("a9059cbb") + bytes(64), 0) is None
    assert swap_intent(b"", 1) is None


@given(st.sampled_from(sorted(INTENTS)), st.binary(max_size=400))
def test_hostile_arguments_are_decoded_or_refused(selector, arguments):
    with suppress(DecodeError):
        assert len(INTENTS[selector](selector + arguments, 0).path) >= 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (bytes(31), "abi_truncated"),
        (eth_abi.encode(["uint256"] * 5, (1, 2, 161, 3, 4)), "abi_bad_offset"),
        (eth_abi.encode(["uint256"] * 6, (1, 2, 160, 3, 4, 1 << 200)), "abi_truncated"),
        (eth_abi.encode(["uint256"] * 7, (1, 2, 160, 3, 4, 1, 1 << 160)), "abi_dirty_address"),
        (eth_abi.encode(["uint256"] * 7, (1, 2, 160, 3, 4, 1, 5)), "router_path_too_short"),
    ],
)
def test_broken_arguments_are_refused_with_their_reason(arguments, reason):
    swap = next(selector for selector, one in KNOWN if not one.ether_in)
    with pytest.raises(DecodeError) as refused:
        INTENTS[swap](swap + arguments, 0)
    assert refused.value.reason == reason
    assert swap_intent(swap + arguments, 0) is None


@given(
    st.lists(st.tuples(addresses, addresses, words, words, words, addresses), min_size=1, max_size=8),
    addresses,
    words,
    words,
)
def test_the_executor_call_equals_the_standard_encoding(steps, token, min_profit, payment):
    expected = eth_abi.encode(
        ["(address,address,uint256,uint256,uint256,address)[]", "address", "uint256", "uint256"],
        (steps, token, min_profit, payment),
    )
    assert (
        encode_execute([SwapStep(*step) for step in steps], token, min_profit, payment) == EXECUTE + expected
    )


def test_the_executor_takes_at_most_eight_steps():
    step = SwapStep(b"\1" * 20, b"\2" * 20, 1, 0, 1, b"\3" * 20)
    with pytest.raises(ValueError, match="1 to 8 steps, not 9"):
        encode_execute([step] * 9, b"\2" * 20)
