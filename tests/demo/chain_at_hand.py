"""A devnet under a test's thumb: deploy, call and send as an unlocked account, one block per transaction."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from mev_dagster.demo.anvil import AnvilNode

GENESIS = 1_700_000_000
SLOT_SECONDS = 12


@dataclass(frozen=True)
class Outcome:
    """What a call returned or reverted with, and the logs it left when sent."""

    succeeded: bool
    data: str
    logs: tuple[tuple[str, tuple[str, ...], str], ...]
    gas_used: int


class JsonRpc:
    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(url.removeprefix("http://"), timeout=20)

    def call(self, method: str, params: list[Any]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self._connection.request("POST", "/", body, {"content-type": "application/json"})
        answer = json.loads(self._connection.getresponse().read())
        assert "error" not in answer, answer["error"]
        return answer["result"]


class ChainAtHand:
    def __init__(self, node: AnvilNode) -> None:
        self.rpc = JsonRpc(node.http_url)
        self.accounts = [bytes.fromhex(a[2:]) for a in self.rpc.call("eth_accounts", [])]
        self.now = GENESIS

    def deploy(self, code: bytes) -> bytes:
        receipt = self._mine({"from": _hex(self.accounts[0]), "data": _hex(code), "gas": hex(12_000_000)})
        assert receipt["status"] == "0x1"
        return bytes.fromhex(receipt["contractAddress"][2:])

    def send(self, to: bytes, data: bytes, *, sender: int = 0, value: int = 0) -> Outcome:
        """Ask what the call returns, then really make it, 12 s after the last one."""
        tx = {
            "from": _hex(self.accounts[sender]),
            "to": _hex(to),
            "data": _hex(data),
            "value": hex(value),
            "gas": hex(3_000_000),
        }
        trace = self.rpc.call("debug_traceCall", [tx, "latest", {"tracer": "callTracer"}])
        receipt = self._mine(tx)
        logs = tuple((log["address"], tuple(log["topics"]), log["data"]) for log in receipt["logs"])
        succeeded = receipt["status"] == "0x1"
        return Outcome(succeeded, trace.get("output", "0x"), logs, int(receipt["gasUsed"], 16))

    def read(self, to: bytes, data: bytes) -> bytes:
        answer = self.rpc.call("eth_call", [{"to": _hex(to), "data": _hex(data)}, "latest"])
        return bytes.fromhex(answer[2:])

    def read_address(self, to: bytes, data: bytes) -> bytes:
        return self.read(to, data)[12:32]

    def slot(self, address: bytes, slot: int) -> int:
        return int(self.rpc.call("eth_getStorageAt", [_hex(address), hex(slot), "latest"]), 16)

    def _mine(self, tx: dict[str, Any]) -> dict[str, Any]:
        tx_hash = self.rpc.call("eth_sendTransaction", [tx])
        self.now += SLOT_SECONDS
        self.rpc.call("evm_mine", [{"timestamp": self.now}])
        receipt: dict[str, Any] = self.rpc.call("eth_getTransactionReceipt", [tx_hash])
        return receipt


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
