"""Exact EVM execution: one `SimulationEngine` protocol, several engines, prestates, diffs and parity.

`engines.get_engine` gives an engine; `prestate.Prestate`, `rpc_state.RpcState` and `witness.Witness` are the
states it runs on; `blocks.execute_block` runs whole blocks and `parity.check` compares them with what their
network has. `validate.validate_tx` judges transactions for every engine.
"""
