"""Uniswap V2 and its forks: pairs known by their code, constant-product quotes, the routers' calldata."""
