"""Fluid: pools whose tokens stay in one liquidity layer."""
