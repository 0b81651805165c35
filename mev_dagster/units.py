"""The units that figures carry: amounts in wei, times in nanoseconds, sizes in bytes.

A figure's name says its unit (`value_wei`, `latency_ns`, `limit_bytes`); these say how many of them
the larger unit is, so that `5 * GWEI` is wei and `3 * NS_PER_SECOND` is nanoseconds.
"""

GWEI = 10**9
ETHER = 10**18

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_SECOND = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_SECOND

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
