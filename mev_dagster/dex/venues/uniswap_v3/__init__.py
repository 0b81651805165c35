"""Uniswap V3 and its forks: what their pools log. They are labelled and not yet traded."""
