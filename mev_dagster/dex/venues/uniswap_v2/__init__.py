"""Uniswap V2 and its forks: pairs known by their code, the constant-product formula, the routers' calldata."""
