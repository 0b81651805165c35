"""What Osaka adds, against values from its EIPs."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from evm_worlds import CONTRACT, RETURN_TOP, push
from precompile_calls import precompile, run

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.types import TxStatus

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(
    ("value", "zeros"), [(0, 256), (1, 255), (2**255, 0), (2**256 - 1, 0), (0x7F << 240, 9), (2**128, 127)]
)
def test_clz_counts_leading_zeros(value, zeros):
    result = run(push(value) + b"\x1e" + RETURN_TOP)
    assert int.from_bytes(result.output, "big") == zeros


def test_clz_costs_five_gas():
    with_it, without = (run(push(1) + op + b"\x50\x00") for op in (b"\x1e", b""))
    assert with_it.gas_used - without.gas_used == 5


def test_clz_is_no_instruction_before_osaka():
    assert run(push(1) + b"\x1e" + RETURN_TOP, fork=Fork.PRAGUE).status is TxStatus.HALTED


def signature() -> bytes:
    key = ec.derive_private_key(7, ec.SECP256R1())
    digest = bytes(range(32))
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    public = key.public_key().public_numbers()
    return digest + b"".join(number.to_bytes(32, "big") for number in (r, s, public.x, public.y))


def test_p256_accepts_a_signature():
    success, output, gas = precompile(0x100, signature())
    assert (success, output) == (True, (1).to_bytes(32, "big"))
    assert gas == 6_900


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\x00",
        lambda data: b"\xff" + data[1:],
        lambda data: data[:32] + bytes(32) + data[64:],
        lambda data: data[:32] + P256_N.to_bytes(32, "big") + data[64:],
        lambda data: data[:96] + bytes(64),
        lambda data: data[:96] + b"\xff" * 64,
        lambda data: data[:128] + bytes(31) + b"\x01",
        lambda data: b"",
    ],
    ids=["short", "long", "digest", "r=0", "r=n", "infinity", "above field", "off curve", "empty"],
)
def test_p256_answers_nothing_to_anything_else(spoil):
    success, output, gas = precompile(0x100, spoil(signature()))
    assert (success, output, gas) == (True, b"", 6_900)


def test_p256_accepts_a_high_s():
    data = signature()
    flipped = P256_N - int.from_bytes(data[64:96], "big")
    assert precompile(0x100, data[:64] + flipped.to_bytes(32, "big") + data[96:])[1]


def modexp_input(base: bytes, exponent: bytes, modulus: bytes) -> bytes:
    lengths = b"".join(len(part).to_bytes(32, "big") for part in (base, exponent, modulus))
    return lengths + base + exponent + modulus


@pytest.mark.parametrize(
    ("sizes", "exponent", "berlin", "osaka"),
    [
        ((32, 32), b"\x03", 200, 500),
        ((64, 64), b"\x01\x00\x01", 341, 2_048),
        ((256, 256), b"\x01\x00\x01", 5_461, 32_768),
        ((256, 256), b"\xff" * 256, (32 * 32 * (255 + 8 * 224)) // 3, 2 * 32 * 32 * (255 + 16 * 224)),
        ((1, 1024), b"\x02", 5_461, 32_768),
    ],
)
def test_modexp_is_priced_anew(sizes, exponent, berlin, osaka):
    data = modexp_input(b"\x05" * sizes[0], exponent, b"\xfb" * sizes[1])
    expected = pow(
        int.from_bytes(b"\x05" * sizes[0], "big"),
        int.from_bytes(exponent, "big"),
        int.from_bytes(b"\xfb" * sizes[1], "big"),
    ).to_bytes(sizes[1], "big")
    assert precompile(5, data, Fork.PRAGUE) == (True, expected, berlin)
    assert precompile(5, data, Fork.OSAKA) == (True, expected, osaka)


def test_modexp_takes_no_more_than_1024_bytes():
    for parts in ((1025, 1, 1), (1, 1025, 1), (1, 1, 1025)):
        data = modexp_input(*(b"\x01" * size for size in parts))
        assert not precompile(5, data)[0]
        assert precompile(5, data, Fork.PRAGUE)[0]


@pytest.mark.parametrize(
    ("data", "output"),
    [
        (modexp_input(b"", b"", b"\x07"), b"\x01"),
        (modexp_input(b"", b"\x00", b"\x01"), b"\x00"),
        (modexp_input(b"\x02", b"", b""), b""),
        (modexp_input(b"\x02", b"\x05", b"\x00\x00"), b"\x00\x00"),
        (b"", b""),
        (modexp_input(b"\x02", b"\x02", b"\x0b")[:-1], b"\x00"),
    ],
    ids=["0**0 mod 7", "mod 1", "no modulus", "modulus 0", "no input", "cut short"],
)
def test_modexp_at_its_edges(data, output):
    assert precompile(5, data, Fork.BYZANTIUM)[:2] == (True, output)
    assert precompile(5, data)[:2] == (True, output)


def test_an_announced_length_is_paid_before_it_is_built():
    data = (2**64).to_bytes(32, "big") * 3
    assert not precompile(5, data, Fork.PRAGUE)[0]


def test_blob_base_fee_is_the_forks_own():
    fees = [run(b"\x4a" + RETURN_TOP, fork=fork).output for fork in (Fork.CANCUN, Fork.BPO2)]
    assert fees == [(1).to_bytes(32, "big")] * 2
    assert CONTRACT
