"""Strategies, one a file: pure functions of what they are shown."""
