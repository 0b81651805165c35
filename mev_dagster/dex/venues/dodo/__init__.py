"""DODO: pools around an oracle's price."""
