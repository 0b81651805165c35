"""Small blocks made of logs, to label."""

from collections.abc import Sequence

from mev_dagster.chain.receipts import Log
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.dex.erc20 import TRANSFER_TOPIC
from mev_dagster.dex.venues.uniswap_v2 import events as uniswap_v2
from mev_dagster.dex.venues.uniswap_v3 import events as uniswap_v3
from mev_dagster.labels.inspectors.jit import MINT_TOPIC
from mev_dagster.labels.landed import LandedBlock, LandedTx

WETH, USD, DAI = (bytes([number]) * 20 for number in (0xA0, 0xB0, 0xC0))
POOL, OTHER_POOL, THIRD_POOL = (bytes([number]) * 20 for number in (0x10, 0x20, 0x30))
ROUTER, BOT = b"\x77" * 20, b"\x99" * 20
ALICE, EVE, MALLORY = (bytes([number]) * 32 for number in (1, 2, 3))
GAS_COST_WEI = 1_000


def word(value: int | bytes) -> bytes:
    return value.rjust(32, b"\0") if isinstance(value, bytes) else (value % (1 << 256)).to_bytes(32, "big")


def transfer(token: bytes, sender: bytes, recipient: bytes, amount: int) -> Log:
    return Log(token, (TRANSFER_TOPIC, word(sender), word(recipient)), word(amount))


def swap(pool, token_in, amount_in, token_out, amount_out, *, payer=ROUTER, recipient=BOT, v3=False):
    """The logs a pool's swap leaves: what it took, what it gave, and its own event."""
    zero_for_one = token_in < token_out
    if v3:
        amounts = (amount_in, -amount_out) if zero_for_one else (-amount_out, amount_in)
        data, topic = b"".join(word(value) for value in (*amounts, 1, 1, 0)), uniswap_v3.SWAP_TOPIC
    else:
        order = (amount_in, 0, 0, amount_out) if zero_for_one else (0, amount_in, amount_out, 0)
        data, topic = b"".join(word(value) for value in order), uniswap_v2.SWAP_TOPIC
    return [
        transfer(token_in, payer, pool, amount_in),
        transfer(token_out, pool, recipient, amount_out),
        Log(pool, (topic, word(payer), word(recipient)), data),
    ]


def position(topic, liquidity, *, upper_tick=60):
    """The log of a V3 position that is minted or burned."""
    amounts = (BOT, liquidity, 1, 1) if topic == MINT_TOPIC else (liquidity, 1, 1)
    topics = (topic, word(BOT), word(-60), word(upper_tick))
    return [Log(POOL, topics, b"".join(word(value) for value in amounts))]


def tx(logs: Sequence[Log], *, key: bytes = ALICE, to: bytes = ROUTER, paid: int = 0) -> tuple:
    return logs, key, to, paid


def block(*txs: tuple) -> LandedBlock:
    landed = []
    for index, (logs, key, to, paid) in enumerate(txs):
        signed = sign_transaction(
            key,
            chain_id=1,
            nonce=index,
            to=to,
            gas_limit=100_000,
            max_fee_per_gas_wei=1,
            max_priority_fee_per_gas_wei=1,
        )
        landed.append(LandedTx(index, signed, True, tuple(logs), 1_000, GAS_COST_WEI, paid))
    return LandedBlock(17, b"\x17" * 32, 1_700_000_000, WETH, tuple(landed))
