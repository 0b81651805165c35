"""Bancor V2 and V3: one network that converts tokens."""
