"""What an order gives back of what it pays the coinbase (MEV-Share), and the payments that do it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import TxResult
from mev_dagster.pbs.orders import Order

REFUND_GAS = 30_000
"""What one refund may use, and is paid for before anything is refunded."""
PayRefund = Callable[[int, bytes, int], Transaction]
"""Signs the n-th payment of ours in the block: to whom, and how many wei."""


@dataclass(slots=True)
class Refunds:
    """The refunds of one block; `count` are in it. Without `pay` no transaction of ours can be in it."""

    pay: PayRefund | None
    base_fee_per_gas_wei: int
    count: int = 0

    def due_wei(self, order: Order, results: Sequence[TxResult]) -> int | str:
        """Return what an order's refunds take from the coinbase at most, or why they cannot be paid."""
        payments = self._payments(order, results)
        if isinstance(payments, str):
            return payments
        return sum(amount_wei + self._cost_wei for _, amount_wei in payments)

    def signed(self, order: Order, results: Sequence[TxResult]) -> list[Transaction] | str:
        """Return the payments that stand behind an order's transactions, or why there can be none."""
        payments = self._payments(order, results)
        if isinstance(payments, str) or self.pay is None:
            return payments if isinstance(payments, str) else []
        return [self.pay(self.count + place, *payment) for place, payment in enumerate(payments)]

    @property
    def _cost_wei(self) -> int:
        return REFUND_GAS * self.base_fee_per_gas_wei

    def _payments(self, order: Order, results: Sequence[TxResult]) -> list[tuple[bytes, int]] | str:
        if order.refunds and self.pay is None:
            return "no transaction of ours is on this chain"
        gains = [result.coinbase_payment_wei for result in results]
        payments: list[tuple[bytes, int]] = []
        for rule in order.refunds:
            found = rule.payments(gains, self._cost_wei)
            if found is None:
                return "what is paid does not cover the refund's own cost"
            payments += found
        return payments
