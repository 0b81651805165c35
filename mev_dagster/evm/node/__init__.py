"""The engine that executes on a live node: `eth_simulateV1` and calls at a pinned block."""
