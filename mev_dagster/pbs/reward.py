"""Whether a sealed block's money adds up: the bid, what the proposer is paid, what the block earns.

Each figure comes from another place than the bid did: the payment from the block's last transaction, the tips
from the receipts, the reward from what the coinbase gained when the sealed block was executed as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.evm.types import TxStatus
from mev_dagster.pbs.payout import Payment
from mev_dagster.pbs.template import BlockTemplate


@dataclass(frozen=True, slots=True)
class Reward:
    """What a sealed block says of its money, in wei, and what in it cannot be."""

    bid_wei: int
    payment_wei: int
    tips_wei: int
    reward_wei: int
    problems: tuple[str, ...]


def reward_of(template: BlockTemplate) -> Reward:
    """Hold the bid of a template against its payment and its reward."""
    sealed, bid = template.sealed, template.bid_wei
    earning = len(sealed.block.transactions) - (template.payout is not None)
    gains = [result.coinbase_payment_wei for result in sealed.simulation.txs[:earning]]
    tips = tips_of(sealed.block, sealed.receipts)[:earning]
    reward, payment = sum(gains), _payment_wei(template, sum(gains))
    problems = []
    if payment != bid:
        problems.append(f"the bid is {bid} wei, the proposer is paid {payment}")
    if reward != template.block_value_wei:
        problems.append(f"the block was valued at {template.block_value_wei} wei and earns {reward}")
    problems += [
        f"transaction {index} tips {tip} wei and the coinbase gains {gain}"
        for index, (tip, gain) in enumerate(zip(tips, gains, strict=True))
        if tip > max(gain, 0)
    ]
    if bid + template.payout_cost_wei > max(reward, 0):
        problems.append(f"bid and its cost, {bid + template.payout_cost_wei} wei, exceed the reward {reward}")
    return Reward(bid, payment, sum(tips), reward, tuple(problems))


def tips_of(block: Block, receipts: Sequence[Receipt]) -> list[int]:
    """Return what each transaction tips the coinbase: effective priority fee times gas; none to oneself."""
    header = block.header
    return [
        receipt.gas_used * tx.effective_priority_fee_wei(header.base_fee_per_gas_wei)
        if tx.sender != header.coinbase
        else 0
        for tx, receipt in zip(block.transactions, receipts, strict=True)
    ]


def _payment_wei(template: BlockTemplate, reward_wei: int) -> int:
    """Return what the sealed block hands the proposer: by its last transaction, or by being the coinbase."""
    block, recipient = template.sealed.block, template.proposer.fee_recipient
    if template.payment is Payment.COINBASE:
        return max(reward_wei, 0) if block.header.coinbase == recipient else 0
    if template.payout is None:
        return 0
    last = block.transactions[-1]
    succeeded = template.sealed.simulation.txs[-1].status is TxStatus.SUCCESS
    return last.value_wei if succeeded and last.to == recipient else 0
