"""The reference engine: py-evm's opcodes and fork rules on our own state, with our own Osaka and BPO layers.

`journal` is the state (dictionaries and an undo log), `forks` the table of fork rules, `engine` the
`SimulationEngine`.
"""

# First of all: py-evm changes the recursion limit when it is imported.
from mev_dagster.evm.py_evm import recursion as recursion
