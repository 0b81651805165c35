"""Benchmarks: ours, the usual peer, and the limit, measured interleaved in one run; budgets are ratios.

Absolute times belong to a machine and a moment; ratios within one run do not, so only they are judged.
"""
