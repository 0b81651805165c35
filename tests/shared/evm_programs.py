"""Code that nobody would write, and the forks that our own interpreter runs it under."""

from evm_worlds import CONTRACT, push
from hypothesis import strategies as st

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.py_evm.engine import PyEvmEngine

FORKS = [fork for fork in Fork if PyEvmEngine().supports(fork)]

small = st.integers(0, 300).map(push)
edges = st.sampled_from([0, 1, 31, 32, 255, 256, 2**255, 2**256 - 1, int.from_bytes(CONTRACT, "big"), 4]).map(
    push
)
plain = st.sampled_from([bytes([op]) for op in range(256)])
useful = st.sampled_from(
    [
        bytes([op])
        for op in (*range(0x01, 0x1F), *range(0x51, 0x5F), *range(0x80, 0xA0), 0x20, 0x35, 0x37, 0x39)
    ]
)
calls = st.builds(
    lambda value, size, op: (
        push(size) + push(0) * 3 + push(value) + push(int.from_bytes(CONTRACT, "big")) + b"\x5a" + op
    ),
    st.integers(0, 3),
    st.integers(0, 64),
    st.sampled_from([b"\xf1", b"\xf2", b"\xf4", b"\xfa"]),
)
loops = st.just(b"\x5b\x60\x01\x5a\x60\xff\x10\x60\x00\x57")
programs = st.lists(small | edges | useful | useful | plain | calls | loops, max_size=60).map(b"".join)
