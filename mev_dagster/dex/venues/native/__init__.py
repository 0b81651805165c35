"""Native: quotes of makers, filled on chain."""
