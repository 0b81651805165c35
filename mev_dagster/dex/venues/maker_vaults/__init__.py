"""Maker's vaults: collateral of debts that were called in, sold by auction contracts for dai."""
