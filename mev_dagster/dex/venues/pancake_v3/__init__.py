"""Pancake V3: Uniswap V3 whose Swap event also tells the protocol's fees."""
