"""Where an engine's state comes from: captured prestates, witnesses, a node over RPC, each value proven."""
