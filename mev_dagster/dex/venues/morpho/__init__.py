"""Morpho's markets: one contract that lends, liquidates and lends for one call."""
