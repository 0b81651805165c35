"""The play on a real node: bring the market about, then slot after slot of traffic, one block each.

The node mines only when told to, at fixed timestamps, and the traffic is a function of a seed: played again
on the same anvil, the same blocks come out, hash for hash. What differs is when things were seen.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.envelope import BLOB
from mev_dagster.chain.fees import next_base_fee
from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.chain.transactions import Transaction
from mev_dagster.demo import market as market_of
from mev_dagster.demo.blobs import ConstantBlob, with_sidecar
from mev_dagster.demo.bots import Keeper, Rival
from mev_dagster.demo.cast import Cast, Wallet
from mev_dagster.demo.market import SETUP_FEES, Market
from mev_dagster.demo.script import SCRIPT, Act
from mev_dagster.demo.slot import Sending
from mev_dagster.demo.trading import Book
from mev_dagster.demo.traffic import Traffic
from mev_dagster.dex.constant_product import Fee
from mev_dagster.dex.venues.uniswap_v2.pool import RESERVES_SLOT, Pair, unpack_reserves
from mev_dagster.errors import NodeAnswerError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import ETHER, GWEI, NS_PER_SECOND

SEED = "mev_dagster devnet 1"
GENESIS_TIMESTAMP = 1_767_225_600  # 2026-01-01 00:00:00 UTC
SLOT_SECONDS = 12
GAS_LIMIT = 4_000_000
GENESIS_BASE_FEE_WEI = 4 * GWEI
BALANCES_WEI = {
    "deployer": 10_000,
    "whale": 2_000,
    "searcher": 400,
    "rival": 400,
    "keeper": 400,
    "spendthrift": 2,
}
DEFAULT_BALANCE_ETHER = 100


def genesis(cast: Cast, timestamp: int = GENESIS_TIMESTAMP, wealth: int = 1) -> dict[str, Any]:
    """Return the genesis file: everybody's ether `wealth` times over, and a builder that exists."""
    return {
        "config": {"chainId": DEVNET_CHAIN_ID},
        "alloc": {
            to_hex(wallet.address): {"balance": hex(wealth * _balance_wei(wallet))}
            for wallet in cast.everyone()
        },
        "coinbase": to_hex(cast.builder.address),
        "timestamp": hex(timestamp),
        "gasLimit": hex(GAS_LIMIT),
        "baseFeePerGas": hex(GENESIS_BASE_FEE_WEI),
        "difficulty": "0x0",
        "nonce": "0x0",
        "mixHash": to_hex(bytes(32)),
        "extraData": "0x",
    }


def _balance_wei(wallet: Wallet) -> int:
    return BALANCES_WEI.get(wallet.role.split()[0], DEFAULT_BALANCE_ETHER) * ETHER


def anvil_arguments(
    cast: Cast, folder: Path, timestamp: int = GENESIS_TIMESTAMP, wealth: int = 1
) -> tuple[str, ...]:
    """Return how to start anvil for the play; writes the genesis file into `folder`."""
    path = folder / "genesis.json"
    path.write_text(json.dumps(genesis(cast, timestamp, wealth)))
    return (
        "--init",
        str(path),
        "--accounts",
        "0",
        "--hardfork",
        "prague",
        "--no-mining",
        "--order",
        "fees",
        "--chain-id",
        str(DEVNET_CHAIN_ID),
        "--timestamp",
        str(timestamp),
        "--gas-limit",
        str(GAS_LIMIT),
        "--block-base-fee-per-gas",
        str(GENESIS_BASE_FEE_WEI),
    )


class Scenario:
    """One staging of the play on one fresh node."""

    def __init__(
        self,
        node: NodeConnection,
        *,
        clock: Clock,
        seed: str = SEED,
        timestamp: int = GENESIS_TIMESTAMP,
        seconds_between_blocks: int = SLOT_SECONDS,
    ) -> None:
        self.cast = Cast()
        self.market: Market = market_of.plan(self.cast)
        self._node = node
        self._clock = clock
        self._traffic = Traffic(self.cast, self.market, seed)
        self._rival = Rival(self.cast.rival, self.market)
        self._keeper = Keeper(self.cast.keeper, self.market)
        self._timestamp = timestamp
        self._seconds_between_blocks = seconds_between_blocks

    async def prepare(self) -> Block:
        """Bring the market about in as many blocks as it takes; return the last of them."""

        await self._node.call("anvil_setCoinbase", to_hex(self.cast.builder.address))
        await self._load_trusted_setup()
        for batch in _batches(market_of.setup(self.cast, self.market), GAS_LIMIT):
            for transaction in batch:
                await self._submit(transaction, transaction.raw)
            block = await self._mine()
            await self._demand_success(block, batch)
        return block

    async def play(
        self,
        parent: Block,
        *,
        script: Sequence[Act] = SCRIPT,
        slot_seconds: float = SLOT_SECONDS,
    ) -> AsyncIterator[tuple[Block, tuple[Sending, ...]]]:
        """Stage the script behind `parent`; yield each block with what was sent in its slot.

        `slot_seconds` is how long a slot lasts here, whatever lies between the blocks' timestamps.
        """
        start_ns, pace = self._clock.mono_ns(), slot_seconds / SLOT_SECONDS
        for number, act in enumerate(script):
            begins = number * slot_seconds  # since the start: slots do not drift
            sendings = await self._slot(number, act, parent)
            for sending in sendings:
                await self._wait_until(start_ns, begins + sending.at_seconds * pace)
                await self._submit(sending.transaction, sending.raw)
            await self._wait_until(start_ns, begins + slot_seconds)
            parent = await self._mine()
            yield parent, tuple(sendings)

    async def book(self) -> Book:
        """Return every pool as the last block left it."""
        slot = hex(RESERVES_SLOT)
        requests = [
            ("eth_getStorageAt", [to_hex(pool), slot, "latest"]) for pool in self.market.pools.values()
        ]
        values = await self._node.call_all(requests)
        pools = {}
        for ((_, symbols), pool), value in zip(self.market.pools.items(), values, strict=True):
            token0, token1 = sorted(self.market.tokens[symbol] for symbol in symbols)
            pools[pool] = Pair(pool, token0, token1, *unpack_reserves(int(value, 16)), Fee())
        return Book(self.market, pools)

    async def _load_trusted_setup(self) -> None:
        """Offer a blob with another's commitment, which is refused.

        Anvil loads KZG's trusted setup when it sees its first blob, and for those seconds answers nobody:
        that must not happen in a slot.
        """
        rollup = self.cast.rollup
        offered = rollup.sign(
            SETUP_FEES,
            kind=BLOB,
            nonce=rollup.nonce,
            to=rollup.address,
            gas_limit=21_000,
            blob_versioned_hashes=(ConstantBlob(0).versioned_hash,),
            max_fee_per_blob_gas_wei=GWEI,
        )
        with suppress(NodeAnswerError):
            await self._submit(offered, with_sidecar(offered, (ConstantBlob(1),)))

    async def _slot(self, number: int, act: Act, parent: Block) -> list[Sending]:
        book, base_fee_wei = await self.book(), next_base_fee(parent.header)
        sendings, whales = self._traffic.slot(number, act, book, base_fee_wei)
        kept, tight = self._keeper.keep(book, base_fee_wei)
        sendings += kept
        if act.rival is not None:
            sendings += self._rival.react(act.rival, whales, tight)
        return sorted(sendings, key=lambda sending: sending.at_seconds)

    async def _submit(self, transaction: Transaction, raw: bytes) -> None:
        answer = await self._node.call("eth_sendRawTransaction", to_hex(raw))
        if answer != to_hex(transaction.hash):
            raise NodeAnswerError(f"the node calls {to_hex(transaction.hash)} {answer}")

    async def _mine(self) -> Block:
        self._timestamp += self._seconds_between_blocks
        await self._node.call("evm_mine", {"timestamp": self._timestamp})
        return block_from_rpc(await self._node.call("eth_getBlockByNumber", "latest", True))

    async def _demand_success(self, block: Block, batch: Sequence[Transaction]) -> None:
        receipts = await self._node.call("eth_getBlockReceipts", hex(block.header.number))
        succeeded = {receipt["transactionHash"] for receipt in receipts if receipt["status"] == "0x1"}
        for transaction in batch:
            if to_hex(transaction.hash) not in succeeded:
                raise NodeAnswerError(
                    f"block {block.header.number}: setup transaction {transaction.nonce} of "
                    f"{to_hex(transaction.sender)} did not land or reverted"
                )

    async def _wait_until(self, start_ns: int, seconds: float) -> None:
        left = seconds - (self._clock.mono_ns() - start_ns) / NS_PER_SECOND
        if left > 0:
            await self._clock.sleep(left)


def _batches(transactions: Iterable[Transaction], gas_limit: int) -> Iterator[list[Transaction]]:
    """Cut into blocks that surely fit: anvil drops what follows a transaction it has no room for."""
    batch: list[Transaction] = []
    for transaction in transactions:
        if sum(other.gas_limit for other in batch) + transaction.gas_limit > gas_limit:
            yield batch
            batch = []
        batch.append(transaction)
    yield batch
