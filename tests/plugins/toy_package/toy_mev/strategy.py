"""A strategy whose plan is no swap: wrap one wei, and claim that this is worth an ether."""

from mev_dagster.dex.abi import selector
from mev_dagster.search.plan import OwnCall, Plan


class ToyStrategy:
    kind = "toy"
    name = "toy/1"

    def plans(self, view):
        weth = view.wrapped_ether
        wrap = OwnCall(to=weth, calldata=selector("deposit()"), gas_limit=60_000, value_wei=1)
        yield Plan(self.kind, self.name, (wrap,), (weth,), (weth,), size_wei=1, expected_profit_wei=10**18)

    def matches(self, plan, landed):
        return landed.kind == self.kind
