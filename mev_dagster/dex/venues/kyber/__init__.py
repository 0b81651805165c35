"""Kyber classic: pairs with a fee of their own. Its elastic pools log what Uniswap V3 logs."""
