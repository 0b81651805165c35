"""Maker's peg stability modules: dai for a stable coin at one to one."""
