"""Balancer V1, V2 and V3: pools of their own, then pools in a vault."""
