"""Curve: stable, crypto, meta and ng pools, known by their events."""
