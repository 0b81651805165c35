"""Uniswap V4: one contract holds every pool, and a pool is the hash of its key."""
