"""The transaction tests of ethereum/tests: accept or reject per fork, hash, sender, intrinsic gas."""

import json

import pytest
import zstandard

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.chain.validity import calldata_floor_gas, intrinsic_gas, validate_for_fork
from mev_dagster.errors import DecodeError

pytestmark = pytest.mark.fixtures

FORKS = {
    "Frontier": Fork.FRONTIER,
    "Homestead": Fork.HOMESTEAD,
    "EIP150": Fork.TANGERINE_WHISTLE,
    "EIP158": Fork.SPURIOUS_DRAGON,
    "Byzantium": Fork.BYZANTIUM,
    "Constantinople": Fork.CONSTANTINOPLE,
    "ConstantinopleFix": Fork.PETERSBURG,
    "Istanbul": Fork.ISTANBUL,
    "Berlin": Fork.BERLIN,
    "London": Fork.LONDON,
    "Paris": Fork.PARIS,
    "Shanghai": Fork.SHANGHAI,
    "Cancun": Fork.CANCUN,
}


def outcome(raw, fork):
    try:
        transaction = decode_transaction(raw, allow_high_s=fork < Fork.HOMESTEAD)
        validate_for_fork(transaction, fork, chain_id=1)
    except DecodeError as error:
        return error.reason
    gas = max(intrinsic_gas(transaction, fork), calldata_floor_gas(transaction, fork))
    return "0x" + transaction.hash.hex(), "0x" + transaction.sender.hex(), gas


def test_every_case_agrees_in_every_fork(fixtures):
    path = fixtures / "ethereum_tests" / "transaction_tests.json.zst"
    files = json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()))
    cases = checked = 0
    wrong = []
    for tests in files.values():
        for name, case in tests.items():
            raw = bytes.fromhex(case["txbytes"][2:])
            cases += 1
            for network, expected in case["result"].items():
                found = outcome(raw, FORKS[network])
                checked += 1
                if "exception" in expected:
                    agrees = isinstance(found, str)
                else:
                    agrees = found == (
                        expected["hash"],
                        expected["sender"],
                        int(expected["intrinsicGas"], 16),
                    )
                if not agrees:
                    wrong.append((name, network, expected, found))
    assert not wrong
    assert (cases, checked) == (155, 1950)
