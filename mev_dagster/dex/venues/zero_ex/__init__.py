"""0x: orders signed by makers and filled on chain."""
