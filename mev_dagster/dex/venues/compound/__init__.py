"""Compound's lending markets (V2 with its forks, V3): debts repaid by others for what secured them."""
