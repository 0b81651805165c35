"""Algebra: Uniswap V3 with a fee that plug-ins set."""
