"""A devnet under a test's thumb: deploy, call and send as an unlocked account, one block per transaction."""

from dataclasses import dataclass
from typing import Any

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.node.http import JsonRpc

GENESIS = 1_700_000_000
SLOT_SECONDS = 12


@dataclass(frozen=True)
class Outcome:
    """What a call returned or reverted with, and the logs it left when sent."""

    succeeded: bool
    data: str
    logs: tuple[tuple[str, tuple[str, ...], str], ...]
    gas_used: int


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
            "gas": hex(10_000_000),
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

    def submit(self, to: bytes, data: bytes, *, sender: int = 0, value: int = 0, tip_gwei: int = 1) -> bytes:
        """Leave a transaction pending."""
        tx = {
            "from": _hex(self.accounts[sender]),
            "to": _hex(to),
            "data": _hex(data),
            "value": hex(value),
            "gas": hex(500_000),
            "maxFeePerGas": hex((10 + tip_gwei) * 10**9),
            "maxPriorityFeePerGas": hex(tip_gwei * 10**9),
        }
        return bytes.fromhex(self.rpc.call("eth_sendTransaction", [tx])[2:])

    def mine(self) -> Block:
        """Mine what is pending."""
        self.now += SLOT_SECONDS
        self.rpc.call("evm_mine", [{"timestamp": self.now}])
        return block_from_rpc(self.rpc.call("eth_getBlockByNumber", ["latest", True]))

    def _mine(self, tx: dict[str, Any]) -> dict[str, Any]:
        tx_hash = self.rpc.call("eth_sendTransaction", [tx])
        self.mine()
        receipt: dict[str, Any] = self.rpc.call("eth_getTransactionReceipt", [tx_hash])
        return receipt


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
