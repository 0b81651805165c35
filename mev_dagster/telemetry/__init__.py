"""How the house is watched: clocks, structured logs without secrets, and Prometheus metrics."""
