"""Aave's lending markets and those of its forks, Spark's too: what is liquidated and lent for one call."""
