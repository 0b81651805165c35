"""The real Uniswap contracts, from their npm packages, as peers for ours. Nothing of them is kept here."""

import json
from pathlib import Path

import pytest

from mev_dagster.demo.artifacts import Contract

MODULES = Path(__file__).resolve().parents[2] / "node_modules" / "@uniswap"


def npm_contract(package: str, path: str) -> Contract:
    file = MODULES / package / path
    if not file.exists():
        pytest.skip(f"@uniswap/{package} is absent: run `make setup` with Node.js installed")
    build = json.loads(file.read_text())
    return Contract(
        name=file.stem,
        abi=tuple(build["abi"]),
        bytecode=bytes.fromhex(build["bytecode"].removeprefix("0x")),
        runtime=bytes.fromhex(build.get("deployedBytecode", "").removeprefix("0x")),
        storage_slots={},
        immutables=(),
        source_sha256="",
    )


def v3_factory() -> Contract:
    return npm_contract("v3-core", "artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json")


def v3_pool() -> Contract:
    return npm_contract("v3-core", "artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json")


def v3_router() -> Contract:
    return npm_contract("v3-periphery", "artifacts/contracts/SwapRouter.sol/SwapRouter.json")


def v3_positions() -> Contract:
    name = "NonfungiblePositionManager"
    return npm_contract("v3-periphery", f"artifacts/contracts/{name}.sol/{name}.json")


def factory() -> Contract:
    return npm_contract("v2-core", "build/UniswapV2Factory.json")


def pair() -> Contract:
    return npm_contract("v2-core", "build/UniswapV2Pair.json")


def router() -> Contract:
    return npm_contract("v2-periphery", "build/UniswapV2Router02.json")


def weth() -> Contract:
    return npm_contract("v2-periphery", "build/WETH9.json")
