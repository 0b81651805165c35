"""Ex-post labels: the MEV that landed in a block, read from its transactions and their logs.

A pipeline of pure functions: logs -> swaps with their tokens -> arbitrages, sandwiches, liquidations, JIT
liquidity -> precedence -> labels with profit per token and, where it is ether, net of gas.
"""
