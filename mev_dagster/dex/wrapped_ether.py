"""Tokens that wrap ether one to one, known by their code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mev_dagster.dex.layout import solidity_slot, vyper_slot


@dataclass(frozen=True, slots=True)
class WrappedEther:
    """A token that wraps ether one to one, and where it keeps a holder's balance."""

    name: str
    mapping_slot: Callable[[int, bytes], int]
    balances_at: int

    def balance_slot(self, holder: bytes) -> int:
        """Return the storage slot of a holder's balance."""
        return self.mapping_slot(self.balances_at, holder)


WRAPPED_ETHER_CODES: Mapping[bytes, WrappedEther] = {
    bytes.fromhex(code_hash): known
    for code_hash, known in (
        # 0xC02aaA39… on mainnet, and the build that ships with Uniswap's periphery
        (
            "d0a06b12ac47863b5c7be4185c2deaad1c61557033f56c7d4ea74429cbb25e23",
            WrappedEther("WETH9", solidity_slot, 3),
        ),
        (
            "e524bd0c25f819b88ff6694c74b8757e843232d912f1d88fc5f924da716e8aaf",
            WrappedEther("WETH9", solidity_slot, 3),
        ),
        (
            "7c015aa3e9006cc6daa28b13e4687669d86c62b2ac23d8403a0ae36100033be9",
            WrappedEther("devnet WETH", vyper_slot, 0),
        ),
    )
}
"""Runtime code hash of a token that wraps ether -> what we know of it."""

WRAPPED_ETHER_ADDRESSES = (bytes.fromhex("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),)
"""Where there is no code to know it by, as in traces: mainnet's."""
