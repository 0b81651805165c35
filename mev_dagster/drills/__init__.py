"""Load over time and faults on purpose: real processes, real peers, and a count of what was lost.

`mev soak` keeps a part of the platform busy for minutes or an hour; `mev chaos` breaks something and waits
until nothing is missing. Both say what they did and what came of it, and fail when anything is lost.
"""
