"""Ex-ante search: what could be earned in the next block from what is pending on its parent's state.

A strategy is a pure function from a `BlockView` to plans. Plans are sized in closed form, identified by
their content, verified by executing them signed on the captured state, and ranked by integers alone.
"""
