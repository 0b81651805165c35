"""1inch's orders: signed by makers, filled by whoever finds what they ask for."""
