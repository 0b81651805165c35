"""A world with the real Uniswap V2 in it, deployed from its npm packages: what engines are measured on.

Two tokens, one pair with liquidity, three traders with approvals. Everything is deterministic.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import address_of, create_address, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.demo import abi
from mev_dagster.errors import InputError
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv, SimulationEngine, TxStatus
from mev_dagster.hexadecimal import from_hex
from mev_dagster.units import ETHER, GWEI

CHAIN_ID = 31_337
START_TIME = 1_700_000_000
GAS_LIMIT = 60_000_000
FOREVER = 2**256 - 1
DEADLINE = 2_000_000_000
TRADERS = 3

# Gas of the sandwich below in the block after deployment: go-ethereum's rules, met by every exact engine.
SANDWICH_GAS = (87_334, 87_322, 87_404)
# Twelve seconds later the first swap also moves the pair's price accumulators.
FIRST_SWAP_GAS_LATER = 131_950


def find_modules(root: Path | None = None) -> Path | None:
    """Return the folder of Uniswap's npm packages at or above `root` (default: here), if it is there."""
    here = (root or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "node_modules" / "@uniswap" / "v2-periphery" / "build").is_dir():
            return folder / "node_modules" / "@uniswap"
    return None


@dataclass(frozen=True, slots=True)
class UniswapWorld:
    """The state after deployment, and who is where in it."""

    state: Prestate
    env: BlockEnv
    router: bytes
    token_a: bytes
    token_b: bytes
    keys: tuple[bytes, ...]

    def swap(
        self, trader: int, amount_in: int, *, nonce: int = 2, reverse: bool = False, min_out: int = 0
    ) -> Transaction:
        """Return a signed `swapExactTokensForTokens` of one trader."""
        path = [self.token_b, self.token_a] if reverse else [self.token_a, self.token_b]
        data = _call(
            "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
            amount_in,
            min_out,
            path,
            address_of(self.keys[trader]),
            DEADLINE,
        )
        return _signed(self.keys[trader], nonce, self.router, data, gas_limit=300_000)

    def sandwich(self) -> tuple[Transaction, Transaction, Transaction]:
        """Return a front-run, its victim and the back-run, by three traders."""
        return (
            self.swap(0, 10 * ETHER),
            self.swap(1, 256 * ETHER // 100),
            self.swap(2, 10 * ETHER, reverse=True),
        )


def build(engine: SimulationEngine, modules: Path, *, fork: Fork = Fork.PRAGUE) -> UniswapWorld:
    """Deploy everything with the engine's own transactions and return the state that results."""
    keys = tuple(keccak(f"mev_dagster TEST-ONLY uniswap {index}".encode()) for index in range(TRADERS + 1))
    owner, traders = keys[TRADERS], keys[:TRADERS]
    state = Prestate({}, {}, complete=True).with_overrides(
        {address_of(key): AccountOverride(balance_wei=1_000 * ETHER) for key in keys}
    )
    env = BlockEnv(
        chain_id=CHAIN_ID,
        fork=fork,
        number=1,
        timestamp=START_TIME,
        coinbase=bytes.fromhex("c0" * 20),
        gas_limit=GAS_LIMIT,
        base_fee_per_gas_wei=GWEI,
        excess_blob_gas=0,
    )
    deployer = address_of(owner)
    weth, factory, router, token_a, token_b = (create_address(deployer, nonce) for nonce in range(5))
    supply = 10**6 * ETHER
    plan: list[tuple[bytes | None, bytes]] = [
        (None, _creation(modules / "v2-periphery/build/WETH9.json")),
        (None, _creation(modules / "v2-core/build/UniswapV2Factory.json", deployer)),
        (None, _creation(modules / "v2-periphery/build/UniswapV2Router02.json", factory, weth)),
        (None, _creation(modules / "v2-core/build/ERC20.json", supply)),
        (None, _creation(modules / "v2-core/build/ERC20.json", supply)),
        (token_a, _call("approve(address,uint256)", router, FOREVER)),
        (token_b, _call("approve(address,uint256)", router, FOREVER)),
        (
            router,
            _call(
                "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
                *(token_a, token_b, 1_000 * ETHER, 1_000 * ETHER, 0, 0, deployer, FOREVER),
            ),
        ),
    ]
    # Everyone holds both tokens, as traders do: a first receipt would cost a fresh storage slot.
    plan += [
        (token, _call("transfer(address,uint256)", address_of(key), 100 * ETHER))
        for key in traders
        for token in (token_a, token_b)
    ]
    txs = [_signed(owner, nonce, to, data) for nonce, (to, data) in enumerate(plan)]
    txs += [
        _signed(key, nonce, token, _call("approve(address,uint256)", router, FOREVER))
        for key in traders
        for nonce, token in enumerate((token_a, token_b))
    ]
    # One block each: together they ask for more gas than a block has.
    for tx in txs:
        result = engine.simulate(state, env, [tx], begin_block=False)
        if result.txs[0].status is not TxStatus.SUCCESS:
            raise InputError(f"{modules}: deployment failed: {result.txs[0].error or result.txs[0].detail}")
        state = state.apply(result.state_diff)
    return UniswapWorld(state, replace(env, number=2), router, token_a, token_b, traders)


def _signed(
    key: bytes, nonce: int, to: bytes | None, data: bytes, *, gas_limit: int = 6_000_000
) -> Transaction:
    return sign_transaction(
        key,
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=to,
        gas_limit=gas_limit,
        data=data,
        max_fee_per_gas_wei=2 * GWEI,
        max_priority_fee_per_gas_wei=GWEI,
    )


def _call(signature: str, *arguments: Any) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return keccak(signature.encode())[:4] + abi.encode(types, arguments)


def _creation(artifact: Path, *arguments: Any) -> bytes:
    document = json.loads(artifact.read_text())
    constructor: Sequence[dict[str, Any]] = [e for e in document["abi"] if e["type"] == "constructor"]
    types = [parameter["type"] for parameter in constructor[0]["inputs"]] if constructor else []
    return from_hex(document["bytecode"]) + abi.encode(types, arguments)
