"""Ekubo: one contract holds every pool; its logs have no topics."""
