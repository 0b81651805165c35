"""Where arrivals come from: one file per lane, one method each.

A lane hands everything to the queue and returns when its source is exhausted, or raises when it is lost.
The daemon restarts a lost lane with back-off; the lane object lives on, so it remembers its heads.

`lane.py` says what a lane and its maker are, `registry.py` turns settings and flags into lanes. Ours are
lines of `mev_dagster.plugins.BUILT_IN`; those of other packages come by entry point.
"""
