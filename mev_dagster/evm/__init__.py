"""Exact EVM execution: one `SimulationEngine` protocol, several engines, prestates, diffs and parity."""
