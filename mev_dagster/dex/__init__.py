"""Venues: one file per protocol (decode, pool state, exact quoting), the pool graph, and closed-form sizes.

Everything here is a pure function of logs, calldata and a `StateSource`; amounts are exact integers.
"""
