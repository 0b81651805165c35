"""Euler's vaults: a liquidator takes over a debt and the shares that secured it."""
